// Verdicts about interventions: what tuning and evaluations say of them.

#include <algorithm>
#include <cmath>
#include <string_view>

#include <fmt/format.h>

#include "report/verdict.h"

namespace valuelens {

namespace {

/// "run/axes.safetensors:power/shared,layers=4-9,unit=resid" -> "power/shared (layers=4-9, unit=resid)".
std::string short_spec(const std::string & spec) {
    const std::size_t comma = std::min(spec.find(','), spec.size());
    const std::size_t colon = spec.rfind(':', comma);
    const std::size_t begin = colon == std::string::npos ? 0 : colon + 1;
    std::string text = spec.substr(begin, comma - begin);
    for (std::size_t at = comma; at < spec.size(); ++at) {
        text += at == comma ? std::string(" (") : spec[at] == ',' ? std::string(", ") : std::string(1, spec[at]);
    }
    return comma == spec.size() ? text : text + ")";
}

/// What the chosen strengths of tuned interventions show.
struct ChosenStrengths {
    std::size_t measured = 0; ///< whose gain has an interval
    std::size_t without = 0;  ///< whose gain has none
    std::size_t beyond = 0;   ///< whose interval lies beyond 0
    std::string answer;       ///< of the first three
};

void add_choice(const Json & tune, const Json & curve, const char * side, ChosenStrengths & all) {
    constexpr std::size_t most_told = 3;
    const double strength = number_at(curve.value(side, Json()), "strength");
    const bool less = std::string_view(side) == "below"; // a negative alpha, or a beta under 1
    for (const Json & point : curve.at("points")) {
        if (number_at(point, "strength") != strength) {
            continue;
        }
        const Estimate gain = estimate_of(point.value("gain_centred", Json()));
        if (all.measured + all.without < most_told) {
            all.answer +=
                fmt::format("{} at {} {}: {}, accuracy drop {} points. ", short_spec(curve.at("intervention")),
                            tune.at("strength").get<std::string>(), strength,
                            std::isnan(gain.value) ? std::string("no gain was measured")
                                                   : fmt::format("gain {} points of likeness", interval_text(gain)),
                            interval_text(estimate_of(point.at("drop"))));
        }
        ++(std::isnan(gain.low) ? all.without : all.measured);
        all.beyond += (less ? gain.high < 0 : gain.low > 0) ? 1 : 0;
    }
}

/// Whether a measure tells what the evaluation asks about. The others tell how its answers came about, or say the same
/// once more.
bool asks(const Json & evaluation, const std::string & measure) {
    // Of cross-lingual evaluations each measure stands once for each language: likeness_centred_en.
    constexpr const char * bookkeeping[] = {"option_mass",   "judge_mass",   "classifier_mass", "cut_off",
                                            "answer_tokens", "answer_words", "words_kept",      "inconsistent",
                                            "identical",     "first_chosen", "logprob_sum"};
    if (std::any_of(std::begin(bookkeeping), std::end(bookkeeping),
                    [&](const char * name) { return measure.starts_with(name); })) {
        return false;
    }
    // A raw score rises wherever the model agrees with everything; where there is a centred one, that counts.
    std::string quantity;
    bool centred = false;
    for (const Json & one : evaluation.at("measures")) {
        if (one.at("name") == measure) {
            quantity = one.at("quantity");
            centred = one.at("centred");
        }
    }
    return centred ||
           std::none_of(evaluation.at("measures").begin(), evaluation.at("measures").end(), [&](const Json & one) {
               return one.at("centred").get<bool>() && one.at("quantity") == quantity;
           });
}

/// Differences of one evaluation from the model as it is.
struct Differences {
    std::size_t n = 0;      ///< that have an interval
    std::size_t beyond = 0; ///< whose interval leaves out 0
};

/// One difference for each measure that counts, intervention and value; where groups are no values, of all items.
Differences differences_of(const Json & evaluation) {
    Differences result;
    const bool by_value = evaluation.at("group_kind") == "value";
    for (const Json & row : evaluation.at("results")) {
        if (row.at("group").is_null() == by_value || !asks(evaluation, row.at("measure"))) {
            continue;
        }
        for (const Json & difference : row.at("differences")) {
            const Estimate e = estimate_of(difference.is_object() ? difference.value("estimate", Json()) : Json());
            if (!std::isnan(e.low)) {
                ++result.n;
                result.beyond += e.low > 0 || e.high < 0 ? 1 : 0;
            }
        }
    }
    return result;
}

} // namespace

Json steering_finding(const Json & model) {
    constexpr const char * question =
        "Does steering along the directions change what the model says, and at what cost?";
    constexpr const char * rule = "clear: of at least 80 % of the chosen strengths the gain has an interval beyond 0 "
                                  "(above it for strengths that add, below it for those that take away); partly: of "
                                  "some; a gain without an interval is not measured";
    ChosenStrengths chosen;
    for (const Json & tune : model.at("tunes")) {
        for (const Json & curve : tune.at("curves")) {
            add_choice(tune, curve, "above", chosen);
            add_choice(tune, curve, "below", chosen);
        }
    }
    const std::size_t n = chosen.measured + chosen.without;
    if (n == 0) {
        return finding("steering", "steering", question, verdict::not_measured,
                       model.at("tunes").empty() ? "No strength has been tuned yet."
                                                 : "Every strength that was tried costs too much capability.",
                       rule);
    }
    if (chosen.without > 0) {
        // A value with one portrait has a gain, but nothing to resample.
        chosen.answer +=
            fmt::format("{} of {} gains {} no interval.", chosen.without, n, chosen.without == 1 ? "has" : "have");
    }
    return finding("steering", "steering", question, share_verdict(chosen.beyond, chosen.measured, n),
                   std::move(chosen.answer), rule);
}

Json evaluations_finding(const Json & model) {
    constexpr const char * question = "Do independent evaluations see the intervention?";
    constexpr const char * rule =
        "counted is one difference for each measure, intervention and value (where an evaluation is not by value, over "
        "all items) of the measures that tell what was asked: not how answers came about (option_mass, judge_mass, "
        "cut_off, lengths, inconsistent, identical or first-chosen verdicts, logprob_sum), and no raw score that "
        "stands centred, "
        "too; clear: at least 80 % of these differences have an interval that leaves out 0; partly: some";
    Differences all;
    double by_chance = 0;
    std::string each;
    for (const Json & evaluation : model.at("evaluations")) {
        const Differences here = differences_of(evaluation);
        if (here.n == 0) {
            continue;
        }
        all.n += here.n;
        all.beyond += here.beyond;
        by_chance += (1 - evaluation.value("confidence", 0.95)) * static_cast<double>(here.n);
        each += fmt::format("{}{} {} of {}", each.empty() ? "" : ", ", evaluation.at("evaluation").get<std::string>(),
                            here.beyond, here.n);
    }
    if (all.n == 0) {
        return finding("evaluations", "evaluations", question, verdict::not_measured,
                       model.at("evaluations").empty() ? "No evaluation lies in the run yet."
                                                       : "The evaluations compare nothing with the model as it is.",
                       rule);
    }
    return finding("evaluations", "evaluations", question, share_verdict(all.beyond, all.n, all.n),
                   fmt::format("{} of {} differences between an intervention and the model as it is have an interval "
                               "that leaves out 0 ({}); of unrelated ones about {:.0f} would by chance.",
                               all.beyond, all.n, each, std::round(by_chance)),
                   rule);
}

} // namespace valuelens
