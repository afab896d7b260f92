#include "report/findings.h"

#include <algorithm>
#include <optional>
#include <vector>

#include <fmt/format.h>

namespace valuelens {

namespace {

constexpr const char * clear = "clear";
constexpr const char * partly = "partly";
constexpr const char * not_shown = "not shown";
constexpr const char * not_measured = "not measured";

std::string interval_text(const Estimate & e) {
    if (std::isnan(e.low)) {
        return fmt::format("{:.2f}", e.value);
    }
    return fmt::format("{:.2f} [{:.2f}, {:.2f}]", e.value, e.low, e.high);
}

Json finding(const char * id, const char * section, const char * question, const char * verdict, std::string answer,
             const char * rule) {
    return {{"id", id},           {"section", section},          {"question", question},
            {"verdict", verdict}, {"answer", std::move(answer)}, {"rule", rule}};
}

double median(std::vector<double> numbers) {
    if (numbers.empty()) {
        return std::numeric_limits<double>::quiet_NaN();
    }
    std::sort(numbers.begin(), numbers.end());
    const std::size_t half = numbers.size() / 2;
    return numbers.size() % 2 == 1 ? numbers[half] : (numbers[half - 1] + numbers[half]) / 2;
}

const char * share_verdict(std::size_t n, std::size_t of) {
    return of == 0 ? not_measured : n * 10 >= of * 8 ? clear : n > 0 ? partly : not_shown;
}

/// A value as people write it.
std::string name_of(const Json & model, const std::string & id) {
    for (const Json & value : model.at("concept_set").at("values")) {
        if (value.at("id") == id) {
            return value.at("name");
        }
    }
    return id;
}

const Json * part(const Json & model, const char * key) {
    const auto found = model.find(key);
    return found == model.end() || found->is_null() ? nullptr : &*found;
}

Json separation(const Json & model) {
    constexpr const char * question = "Do the directions tell responses that express a value from those that do not?";
    constexpr const char * rule = "clear: the intervals of at least 80 % of the vectors lie above 0.5; partly: of some";
    const Json * vectors = part(model, "vectors");
    if (vectors == nullptr) {
        return finding("separation", "vectors", question, not_measured, "There are no value vectors yet.", rule);
    }
    const std::size_t layer = model.at("layer");
    std::string answer;
    std::size_t above = 0, measured = 0;
    for (const char * condition : {"intrinsic", "prompted"}) {
        std::vector<double> aurocs;
        std::size_t here = 0;
        for (const Json & vector : vectors->at("vectors")) {
            if (vector.at("condition") != condition || vector.at("auroc").size() <= layer) {
                continue;
            }
            const Estimate auroc = estimate_of(vector.at("auroc")[layer]);
            if (!std::isnan(auroc.value)) {
                aurocs.push_back(auroc.value);
                here += auroc.low > 0.5 ? 1 : 0;
            }
        }
        answer += aurocs.empty() ? fmt::format("No {} vector has a held-out AUROC. ", condition)
                                 : fmt::format("{}{}: median held-out AUROC {:.2f}, {} of {} intervals above chance. ",
                                               static_cast<char>(std::toupper(condition[0])), condition + 1,
                                               median(aurocs), here, aurocs.size());
        above += here;
        measured += aurocs.size();
    }
    answer += fmt::format("0.5 is chance; layer {}.", layer);
    return finding("separation", "vectors", question, share_verdict(above, measured), std::move(answer), rule);
}

Json sharing(const Json & model) {
    constexpr const char * question = "How much do the model's own expression and the prompted one share?";
    constexpr const char * rule = "clear: at least 80 % of the intervals of the cosine lie above 0; partly: some";
    const Json * vectors = part(model, "vectors");
    const std::size_t layer = model.at("layer");
    double sum = 0;
    std::size_t n = 0, above = 0;
    Estimate least, most;
    std::string least_value, most_value;
    const Json cosines = vectors == nullptr ? Json::object() : vectors->at("condition_cosine");
    for (const auto & [value, column] : cosines.items()) {
        const Estimate cosine = column.size() > layer ? estimate_of(column[layer]) : Estimate{};
        if (std::isnan(cosine.value)) {
            continue;
        }
        sum += cosine.value;
        ++n;
        above += cosine.low > 0 ? 1 : 0;
        if (!(cosine.value >= least.value)) {
            least = cosine;
            least_value = value;
        }
        if (!(cosine.value <= most.value)) {
            most = cosine;
            most_value = value;
        }
    }
    if (n == 0) {
        return finding("sharing", "geometry", question, not_measured, "No value has a vector of both kinds yet.", rule);
    }
    return finding(
        "sharing", "geometry", question, share_verdict(above, n),
        fmt::format(
            "The cosine of the two vectors is {:.2f} on average: from {} ({}) to {} ({}); 1 would be "
            "the same direction, 0 unrelated ones. Resampling adds noise, so these intervals lean low. Layer {}.",
            sum / static_cast<double>(n), interval_text(least), name_of(model, least_value), interval_text(most),
            name_of(model, most_value), layer),
        rule);
}

Json compliance(const Json & model) {
    constexpr const char * question = "Does prompting add one common direction, whatever the value?";
    constexpr const char * rule = "clear: the whole interval lies above the range of chance; partly: the estimate does";
    const Json * axes = part(model, "axes");
    const std::size_t layer = model.at("layer");
    const Json column = axes == nullptr ? Json() : axes->value("compliance", Json::object());
    const auto at = [&](const char * key) {
        return column.contains(key) && column[key].size() > layer ? estimate_of(column[key][layer]) : Estimate{};
    };
    const Estimate explained = at("explained"), chance = at("explained_null");
    if (std::isnan(explained.value)) {
        return finding("compliance", "geometry", question, not_measured, "There are no axes yet.", rule);
    }
    const char * verdict = explained.low > chance.high     ? clear
                           : explained.value > chance.high ? partly
                           : std::isnan(chance.high)       ? not_measured
                                                           : not_shown;
    return finding(
        "compliance", "geometry", question, verdict,
        fmt::format("One direction explains {} of what the prompts add over all values; by chance it would be "
                    "{} (layer {}).",
                    interval_text(explained), interval_text(chance), layer),
        rule);
}

Json circle(const Json & model) {
    constexpr const char * question = "Are the values arranged as theory says, on a circle?";
    constexpr const char * rule = "clear: p < 0.01 and R² beyond the range of random directions; partly: p < 0.05";
    const Json * axes = part(model, "axes");
    std::string others;
    std::optional<Json> shared;
    for (const Json & circle : axes == nullptr ? Json::array() : axes->value("circles", Json::array())) {
        const Json & fit = circle.at("range").at("even");
        if (circle.at("kind") == "shared") {
            shared = fit;
        } else if (circle.at("kind") == "intrinsic" && !std::isnan(number_at(fit, "r_squared"))) {
            others = fmt::format(" Of the axes unique to the model's own expression: R² {:.2f}, p {:.3f}.",
                                 number_at(fit, "r_squared"), number_at(fit, "p"));
        }
    }
    if (!shared || std::isnan(number_at(*shared, "r_squared"))) {
        return finding("circle", "circle", question, not_measured,
                       axes == nullptr ? "There are no axes yet."
                                       : "The concept set states no angles, or too few values "
                                         "have axes.",
                       rule);
    }
    const double r = number_at(*shared, "r_squared"), p = number_at(*shared, "p");
    const Estimate chance = estimate_of(shared->at("null"));
    const char * verdict = p < 0.01 && r > chance.high ? clear : p < 0.05 ? partly : not_shown;
    return finding("circle", "circle", question, verdict,
                   fmt::format("Shared axes against the theoretical circle: R² {:.2f} with p {:.3f}; random directions "
                               "reach {}.{} Mean of the layer range.",
                               r, p, interval_text(chance), others),
                   rule);
}

Json neurons(const Json & model) {
    constexpr const char * question = "Are there more neurons behind the axes than chance would give?";
    constexpr const char * rule =
        "clear: at least 80 % of the values have more neurons of some category than the range of chance; partly: some";
    const Json * neurons = part(model, "neurons");
    if (neurons == nullptr) {
        return finding("neurons", "neurons", question, not_measured, "The neurons have not been looked for yet.", rule);
    }
    std::size_t above = 0, n = 0;
    std::string counts;
    for (const char * category : {"shared", "intrinsic", "prompted"}) {
        double count = 0, chance = 0;
        for (const Json & value : neurons->at("values")) {
            count += number_at(value.at("counts"), category);
            const Json & null = value.at("chance");
            chance += null.is_object() && null.contains(category) ? estimate_of(null[category]).value : std::nan("");
        }
        counts += fmt::format("{}{:.0f} {}{}", counts.empty() ? "" : ", ", count, category,
                              std::isnan(chance) ? "" : fmt::format(" (chance {:.0f})", chance));
    }
    for (const Json & value : neurons->at("values")) {
        const Json & null = value.at("chance");
        if (!null.is_object()) {
            continue;
        }
        bool more = false;
        for (const char * category : {"shared", "intrinsic", "prompted"}) {
            more = more || (null.contains(category) &&
                            number_at(value.at("counts"), category) > estimate_of(null[category]).high);
        }
        ++n;
        above += more ? 1 : 0;
    }
    return finding("neurons", "neurons", question, share_verdict(above, n),
                   fmt::format("Kept over all values: {}. {} of {} values have more of some category than chance.",
                               counts, above, n),
                   rule);
}

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

/// The tuned interventions at their chosen strengths.
Json steering(const Json & model) {
    constexpr const char * question =
        "Does steering along the directions change what the model says, and at what cost?";
    constexpr const char * rule = "clear: of at least 80 % of the chosen strengths the gain has an interval beyond 0 "
                                  "(above it for strengths that add, below it for those that take away); partly: of "
                                  "some";
    std::size_t n = 0, beyond = 0;
    std::string answer;
    for (const Json & tune : model.at("tunes")) {
        for (const Json & curve : tune.at("curves")) {
            for (const char * side : {"above", "below"}) {
                const double strength = number_at(curve.value(side, Json()), "strength");
                const bool less = std::string(side) == "below"; // a negative alpha, or a beta under 1
                for (const Json & point : curve.at("points")) {
                    if (number_at(point, "strength") != strength) {
                        continue;
                    }
                    const Estimate gain = estimate_of(point.value("gain_centred", Json()));
                    ++n;
                    beyond += (less ? gain.high < 0 : gain.low > 0) ? 1 : 0;
                    if (n <= 3) {
                        answer +=
                            fmt::format("{} at {} {}: gain {} points of likeness, accuracy drop {} points. ",
                                        short_spec(curve.at("intervention")), tune.at("strength").get<std::string>(),
                                        strength, interval_text(gain), interval_text(estimate_of(point.at("drop"))));
                    }
                }
            }
        }
    }
    if (n == 0) {
        return finding("steering", "steering", question, not_measured,
                       model.at("tunes").empty() ? "No strength has been tuned yet."
                                                 : "Every strength that was tried costs too much capability.",
                       rule);
    }
    return finding("steering", "steering", question, share_verdict(beyond, n), std::move(answer), rule);
}

/// Whether a measure tells what the evaluation asks about. The others tell how its answers came about, or say the same
/// once more.
bool asks(const Json & evaluation, const std::string & measure) {
    // Of cross-lingual evaluations each measure stands once for each language: likeness_centred_en.
    constexpr const char * bookkeeping[] = {"option_mass",   "judge_mass",   "cut_off",
                                            "answer_tokens", "answer_words", "inconsistent",
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

Json evaluations(const Json & model) {
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
        return finding("evaluations", "evaluations", question, not_measured,
                       model.at("evaluations").empty() ? "No evaluation lies in the run yet."
                                                       : "The evaluations compare nothing with the model as it is.",
                       rule);
    }
    return finding("evaluations", "evaluations", question, share_verdict(all.beyond, all.n),
                   fmt::format("{} of {} differences between an intervention and the model as it is have an interval "
                               "that leaves out 0 ({}); of unrelated ones about {:.0f} would by chance.",
                               all.beyond, all.n, each, std::round(by_chance)),
                   rule);
}

} // namespace

Json findings(const Json & model) {
    return Json::array({separation(model), sharing(model), compliance(model), circle(model), neurons(model),
                        steering(model), evaluations(model)});
}

} // namespace valuelens
