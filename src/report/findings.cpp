#include "report/findings.h"

#include <algorithm>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "report/lookup.h"
#include "report/verdict.h"

namespace valuelens {

namespace {

double median(std::vector<double> numbers) {
    if (numbers.empty()) {
        return std::numeric_limits<double>::quiet_NaN();
    }
    std::sort(numbers.begin(), numbers.end());
    const std::size_t half = numbers.size() / 2;
    return numbers.size() % 2 == 1 ? numbers[half] : (numbers[half - 1] + numbers[half]) / 2;
}

/// Says so where not all values took part; else nothing.
std::string measured_of(std::size_t n, std::size_t of) {
    return n < of ? fmt::format(" {} of {} values measured.", n, of) : std::string();
}

/// The held-out AUROCs of one condition.
struct Separation {
    std::vector<double> aurocs; ///< that count
    std::size_t above = 0;      ///< of these, intervals above chance
    std::size_t few = 0;        ///< left out: of too few held-out responses
    std::size_t bare = 0;       ///< left out: without an interval

    Separation(const Json & vectors, const char * condition, std::size_t layer) {
        for (const Json & vector : vectors.at("vectors")) {
            if (vector.at("condition") != condition || vector.at("auroc").size() <= layer) {
                continue;
            }
            const Estimate auroc = estimate_of(vector.at("auroc")[layer]);
            if (std::isnan(auroc.value)) {
                continue;
            }
            if (rests_on_few(vector)) {
                ++few;
            } else if (std::isnan(auroc.low)) {
                ++bare;
            } else {
                aurocs.push_back(auroc.value);
                above += auroc.low > 0.5 ? 1 : 0;
            }
        }
    }

    std::string text(const char * condition) const {
        std::string sentence = aurocs.empty()
                                   ? fmt::format("no {} vector has a held-out AUROC that counts", condition)
                                   : fmt::format("{}: median held-out AUROC {:.2f}, {} of {} intervals above chance",
                                                 condition, median(aurocs), above, aurocs.size());
        if (few > 0) {
            sentence +=
                fmt::format(", {}{} rest{} on fewer than {} held-out responses of a class and do{} not count", few,
                            aurocs.empty() ? "" : " more", few == 1 ? "s" : "", few_held_out, few == 1 ? "es" : "");
        }
        if (bare > 0) {
            sentence += fmt::format(", {} more without an interval", bare);
        }
        sentence[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(sentence[0])));
        return sentence + ". ";
    }
};

Json separation(const Json & model) {
    constexpr const char * question = "Do the directions tell responses that express a value from those that do not?";
    constexpr const char * rule =
        "clear: the intervals of at least 80 % of the vectors (two for each value) lie above 0.5; partly: of some; "
        "an interval that rests on fewer than 5 held-out responses of a class does not count";
    const Json * vectors = part_of(model, "vectors");
    if (vectors == nullptr) {
        return finding("separation", "vectors", question, verdict::not_measured, "There are no value vectors yet.",
                       rule);
    }
    const std::size_t layer = model.at("layer");
    std::string answer;
    std::size_t above = 0, measured = 0;
    for (const char * condition : {"intrinsic", "prompted"}) {
        const Separation of(*vectors, condition, layer);
        answer += of.text(condition);
        above += of.above;
        measured += of.aurocs.size();
    }
    answer += fmt::format("0.5 is chance; layer {}.", layer);
    return finding("separation", "vectors", question, share_verdict(above, measured, 2 * value_count(model)),
                   std::move(answer), rule);
}

Json sharing(const Json & model) {
    constexpr const char * question = "How much do the model's own expression and the prompted one share?";
    constexpr const char * rule =
        "clear: of at least 80 % of the values the interval of the cosine lies above 0; partly: of some";
    const Json * vectors = part_of(model, "vectors");
    const std::size_t layer = model.at("layer");
    double sum = 0;
    std::size_t n = 0, with_interval = 0, above = 0;
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
        with_interval += std::isnan(cosine.low) ? 0 : 1;
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
        return finding("sharing", "geometry", question, verdict::not_measured,
                       "No value has a vector of both kinds yet.", rule);
    }
    const std::string range =
        n == 1 ? fmt::format("The cosine of the two vectors of {} is {}", value_name(model, least_value),
                             interval_text(least))
               : fmt::format("The cosine of the two vectors is {:.2f} on average: from {} ({}) to {} ({})",
                             sum / static_cast<double>(n), interval_text(least), value_name(model, least_value),
                             interval_text(most), value_name(model, most_value));
    return finding("sharing", "geometry", question, share_verdict(above, with_interval, value_count(model)),
                   fmt::format("{}; 1 would be the same direction, 0 unrelated ones. Resampling adds noise, so these "
                               "intervals lean low. Layer {}.{}",
                               range, layer, measured_of(n, value_count(model))),
                   rule);
}

Json compliance(const Json & model) {
    constexpr const char * question = "Does prompting add one common direction, whatever the value?";
    constexpr const char * rule =
        "clear: the whole interval lies above the range of chance, with at least 80 % of the values; partly: the "
        "estimate does";
    const Json * axes = part_of(model, "axes");
    if (axes == nullptr) {
        return finding("compliance", "geometry", question, verdict::not_measured, "There are no axes yet.", rule);
    }
    const std::size_t layer = model.at("layer");
    const Json column = axes->value("compliance", Json::object());
    const auto at = [&](const char * key) {
        return column.contains(key) && column[key].size() > layer ? estimate_of(column[key][layer]) : Estimate{};
    };
    const Estimate explained = at("explained"), chance = at("explained_null");
    const auto n = static_cast<std::size_t>(
        std::count_if(axes->at("axes").begin(), axes->at("axes").end(),
                      [](const Json & value) { return value.at("problem").get<std::string>().empty(); }));
    if (std::isnan(explained.value)) {
        return finding(
            "compliance", "geometry", question, verdict::not_measured,
            n < 2 ? fmt::format("It takes two values or more that have both vectors; {} of {} has.", n,
                                value_count(model))
                  : fmt::format("At layer {} it is undefined what one direction explains of what the prompts add.",
                                layer),
            rule);
    }
    if (std::isnan(chance.high)) {
        return finding("compliance", "geometry", question, verdict::not_measured,
                       fmt::format("One direction explains {} of what the prompts add over all values (layer {}), but "
                                   "what it would by chance was not drawn (decompose --null-draws).",
                                   interval_text(explained), layer),
                       rule);
    }
    const char * by_chance = explained.low > chance.high     ? verdict::clear
                             : explained.value > chance.high ? verdict::partly
                                                             : verdict::not_shown;
    return finding("compliance", "geometry", question, capped(by_chance, n, value_count(model)),
                   fmt::format("One direction explains {} of what the prompts add over all values; by chance it would "
                               "be {} (layer {}).{}",
                               interval_text(explained), interval_text(chance), layer,
                               measured_of(n, value_count(model))),
                   rule);
}

Json circle(const Json & model) {
    constexpr const char * question = "Are the values arranged as theory says, on a circle?";
    constexpr const char * rule =
        "clear: p < 0.01 and R² beyond the range of random directions, with at least 80 % of the values; partly: "
        "p < 0.05";
    const Json * axes = part_of(model, "axes");
    std::string others;
    std::optional<Json> shared;
    std::size_t used = 0;
    for (const Json & circle : axes == nullptr ? Json::array() : axes->value("circles", Json::array())) {
        const Json & fit = circle.at("range").at("even");
        if (circle.at("kind") == "shared") {
            shared = fit;
            used = circle.at("used").size();
        } else if (circle.at("kind") == "intrinsic" && !std::isnan(number_at(fit, "r_squared"))) {
            others = fmt::format(" Of the axes unique to the model's own expression: R² {:.2f}, p {:.3f}.",
                                 number_at(fit, "r_squared"), number_at(fit, "p"));
        }
    }
    if (!shared || std::isnan(number_at(*shared, "r_squared"))) {
        return finding("circle", "circle", question, verdict::not_measured,
                       axes == nullptr ? "There are no axes yet."
                                       : "The concept set states no angles, or too few values "
                                         "have axes.",
                       rule);
    }
    const double r = number_at(*shared, "r_squared"), p = number_at(*shared, "p");
    const Estimate chance = estimate_of(shared->at("null"));
    const char * by_chance = p < 0.01 && r > chance.high ? verdict::clear
                             : p < 0.05                  ? verdict::partly
                                                         : verdict::not_shown;
    return finding("circle", "circle", question, capped(by_chance, used, value_count(model)),
                   fmt::format("Shared axes against the theoretical circle: R² {:.2f} with p {:.3f}; random directions "
                               "reach {}.{} Mean of the layer range.{}",
                               r, p, interval_text(chance), others, measured_of(used, value_count(model))),
                   rule);
}

Json neurons(const Json & model) {
    constexpr const char * question = "Are there more neurons behind the axes than chance would give?";
    constexpr const char * rule =
        "clear: at least 80 % of the values have more neurons of some category than the range of chance; partly: some";
    const Json * neurons = part_of(model, "neurons");
    if (neurons == nullptr) {
        return finding("neurons", "neurons", question, verdict::not_measured,
                       "The neurons have not been looked for yet.", rule);
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
        bool known = false, more = false;
        for (const char * category : {"shared", "intrinsic", "prompted"}) {
            const double high =
                null.is_object() && null.contains(category) ? estimate_of(null[category]).high : std::nan("");
            known = known || !std::isnan(high);
            more = more || number_at(value.at("counts"), category) > high;
        }
        n += known ? 1 : 0;
        above += more ? 1 : 0;
    }
    if (n == 0) {
        return finding(
            "neurons", "neurons", question, verdict::not_measured,
            fmt::format("Kept over all values: {}. What chance would give was not drawn (--null-draws 0).", counts),
            rule);
    }
    return finding("neurons", "neurons", question, share_verdict(above, n, value_count(model)),
                   fmt::format("Kept over all values: {}. {} of {} values have more of some category than chance.{}",
                               counts, above, n, measured_of(n, value_count(model))),
                   rule);
}

} // namespace

Json findings(const Json & model) {
    return Json::array({separation(model), sharing(model), compliance(model), circle(model), neurons(model),
                        steering_finding(model), evaluations_finding(model)});
}

} // namespace valuelens
