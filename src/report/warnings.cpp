#include "report/findings.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "report/lookup.h"
#include "report/notes.h"

namespace valuelens {

namespace {

constexpr double weak_judge = 0.7;
constexpr std::size_t few_labels = 30;
constexpr double low_split_half = 0.5;
constexpr double low_stability = 0.8; ///< noise alone reaches 0.5 to 0.8 (docs/files.md)
constexpr double low_option_mass = 0.5;

class Warnings {
public:
    explicit Warnings(const Json & model) : model_(model) {
        of_problems();
        of_progress();
        of_judge();
        of_data();
        of_vectors();
        of_axes();
        of_neurons();
        of_tunes();
        of_evaluations();
    }

    Json list = Json::array();

private:
    /// The same is said once: a stage may repeat the note of an earlier one.
    void add(const char * section, std::string text) {
        if (!said_.insert(text).second) {
            return;
        }
        list.push_back({{"section", section}, {"text", std::move(text)}});
    }

    const Json * part(const char * key) const { return part_of(model_, key); }

    /// The notes of a part: one caution for each reason, and none that repeats why a vector or its axes are absent.
    void add_notes(const char * section, const Json & notes) {
        for (std::string & text : joined_notes(model_, notes, problems_)) {
            add(section, std::move(text));
        }
    }

    void of_problems() {
        for (const Json & problem : model_.at("problems")) {
            add("summary", problem.get<std::string>());
        }
    }

    void of_progress() {
        const Json & progress = model_.at("progress");
        const std::string next = progress.at("next");
        if (next == "generate" || next == "judge") {
            add("summary", fmt::format("The run is not finished: {} of {} slices are generated and {} judged. All "
                                       "numbers are of what is there so far.",
                                       progress.at("slices_generated").get<std::size_t>(),
                                       progress.at("slices_planned").get<std::size_t>(),
                                       progress.at("slices_judged").get<std::size_t>()));
        }
        if (next == "merge") {
            add("summary",
                fmt::format("This is one part of a run (shard {}).", progress.at("shard").get<std::string>()));
        }
    }

    void of_judge() {
        const Json & judge = model_.at("judge");
        const double auroc = number_at(judge.at("quality"), "mean_auroc");
        if (judge.at("name").get<std::string>().empty()) {
            return;
        }
        if (std::isnan(auroc)) {
            add("summary",
                "The judge was not measured against labels by people, so nobody knows how far its labels can "
                "be trusted. `valuelens judge-check` measures it.");
        } else if (auroc < weak_judge) {
            add("summary",
                fmt::format("The judge agrees with people only weakly (mean AUROC {:.2f}; 0.5 is chance): the "
                            "directions are those of what this judge calls a value.",
                            auroc));
        }
    }

    void of_data() {
        const Json & data = model_.at("data");
        const double responses = number_at(data, "responses"), cut = number_at(data, "cut_at_max_tokens");
        if (responses > 0 && cut / responses > 0.5) {
            add("summary", fmt::format("{:.0f} % of the responses were cut off at the longest length ({} tokens): the "
                                       "judge saw only their beginnings.",
                                       100 * cut / responses, data.at("max_tokens").get<std::string>()));
        }
        for (const Json & drop : model_.at("dropped")) {
            add("summary", fmt::format("Left out: {} ({}).", drop.at("count").get<std::size_t>(),
                                       drop.at("reason").get<std::string>()));
        }
    }

    /// Names, or the exceptions where these are fewer.
    static std::string listed(const std::vector<std::string> & names, const std::vector<std::string> & others,
                              const char * what) {
        if (names.size() < 2 * others.size() || names.size() < 4) {
            return fmt::format("{}", fmt::join(names, ", "));
        }
        return others.empty() ? fmt::format("all {} {}", names.size(), what)
                              : fmt::format("{} of {} {}, all but {}", names.size(), names.size() + others.size(), what,
                                            fmt::join(others, ", "));
    }

    /// Warns of the vectors that `is` holds for, if any.
    template <typename Predicate>
    void of_each_vector(Predicate is, const char * format) {
        std::vector<std::string> names, others;
        for (const Json & vector : part("vectors")->at("vectors")) {
            if (vector.at("problem").get<std::string>().empty()) {
                (is(vector) ? names : others).push_back(vector_name(model_, vector));
            }
        }
        if (!names.empty()) {
            add("vectors", fmt::format(fmt::runtime(format), listed(names, others, "vectors")));
        }
    }

    /// Why vectors are absent: one caution for each reason.
    void of_absent_vectors(const Json & vectors) {
        std::vector<std::pair<std::string, std::vector<std::string>>> reasons;
        for (const Json & vector : vectors.at("vectors")) {
            const std::string problem = vector.at("problem");
            if (problem.empty()) {
                continue;
            }
            problems_.push_back(problem);
            const auto expressing = vector.at("expressing").get<std::size_t>();
            const auto others = vector.at("not_expressing").get<std::size_t>();
            const auto needed = vectors.at("min_count").get<std::size_t>();
            // Too few labels are one reason, though each vector has its own counts.
            const bool few = std::min(expressing, others) < std::max<std::size_t>(needed, 1);
            const std::string reason =
                few ? fmt::format("at least {} responses of each class are needed; label more, or lower --min-count",
                                  needed)
                    : note_without_subject(model_, problem).text;
            const std::string name =
                few ? fmt::format("{} ({}: {} expressing, {} not)", value_name(model_, vector.at("value")),
                                  vector.at("condition").get<std::string>(), expressing, others)
                    : vector_name(model_, vector);
            const auto known =
                std::find_if(reasons.begin(), reasons.end(), [&](const auto & one) { return one.first == reason; });
            (known == reasons.end() ? reasons.emplace_back(reason, std::vector<std::string>()) : *known)
                .second.push_back(name);
        }
        for (const auto & [reason, names] : reasons) {
            add("vectors",
                fmt::format("No vector, and so no axes and no neurons, for {}: {}.", fmt::join(names, ", "), reason));
        }
    }

    void of_vectors() {
        const Json * vectors = part("vectors");
        if (vectors == nullptr) {
            return;
        }
        of_absent_vectors(*vectors);
        const std::size_t layer = model_.at("layer");
        of_each_vector(
            [](const Json & vector) {
                return vector.at("expressing").get<std::size_t>() < few_labels ||
                       vector.at("not_expressing").get<std::size_t>() < few_labels;
            },
            "Few labels (fewer than 30 of a class), so these vectors are noisy: {}.");
        of_each_vector(
            rests_on_few,
            "The held-out AUROC rests on fewer than 5 responses of a class, so that even 1.00 says little: {}.");
        of_each_vector(
            [layer](const Json & vector) {
                const Json & column = vector.at("split_half_cosine");
                return column.size() > layer && column[layer].is_number() &&
                       column[layer].get<double>() < low_split_half;
            },
            "Two halves of the data give different directions (split-half cosine below 0.5): {}.");
        add_notes("vectors", vectors->at("notes"));
    }

    void of_axes() {
        const Json * axes = part("axes");
        if (axes == nullptr) {
            return;
        }
        const std::size_t layer = model_.at("layer");
        std::vector<std::string> unstable, stable, undefined;
        Json absent = Json::array(), notes = Json::array();
        for (const Json & value : axes->at("axes")) {
            const std::string name = value_name(model_, value.at("value"));
            if (const std::string problem = value.at("problem"); !problem.empty()) {
                if (!repeats(problem, problems_)) { // else its vector's absence has been said
                    absent.push_back(fmt::format("value '{}': {}", value.at("value").get<std::string>(),
                                                 note_without_subject(model_, problem).text));
                }
                continue;
            }
            const Json & layers = value.at("layers");
            for (const char * axis : {"shared", "unique"}) {
                const Json & column = layers.at(std::string("stability_") + axis);
                if (column.size() > layer && column[layer].is_number()) {
                    (column[layer].get<double>() < low_stability ? unstable : stable)
                        .push_back(fmt::format("{} ({})", name, axis));
                }
            }
            const Json & reasons = layers.at("undefined");
            const auto n = std::count_if(reasons.begin(), reasons.end(),
                                         [](const Json & reason) { return !reason.get<std::string>().empty(); });
            if (n > 0) {
                undefined.push_back(fmt::format("{} at {} layers", name, n));
            }
        }
        if (!unstable.empty()) {
            add("geometry",
                fmt::format("Unstable axes: resampling the queries turns them (mean cosine below 0.8 at layer "
                            "{}; noise alone would reach 0.5 to 0.8): {}.",
                            layer, listed(unstable, stable, "axes")));
        }
        if (!undefined.empty()) {
            add("geometry", fmt::format("Axes are undefined for {}.", fmt::join(undefined, ", ")));
        }
        for (const std::string & text : joined_notes(model_, absent, {})) {
            add("geometry", "No axes for " + text);
        }
        for (const Json & value : axes->at("axes")) {
            problems_.push_back(value.at("problem"));
        }
        for (const Json & note : axes->at("notes")) {
            if (!note.get<std::string>().starts_with("axes are undefined at ")) { // said above, with names
                notes.push_back(note);
            }
        }
        add_notes("geometry", notes);
    }

    void of_neurons() {
        const Json * neurons = part("neurons");
        add_notes("neurons", neurons == nullptr ? Json::array() : neurons->value("notes", Json::array()));
    }

    void of_choice(const Json & tune, const Json & curve, const char * side) {
        const Json choice = curve.value(side, Json());
        const double strength = number_at(choice, "strength"), certain = number_at(choice, "certain");
        const Json & points = curve.at("points");
        if (std::isnan(strength) || points.empty()) {
            return;
        }
        const std::string name = fmt::format("{} at {} {}", curve.at("intervention").get<std::string>(),
                                             tune.at("strength").get<std::string>(), strength);
        if (!(std::abs(certain - strength) < 1e-9)) {
            add("steering",
                fmt::format("{} stands at the edge of the guard: its accuracy drop is below {} points by the estimate, "
                            "but the interval reaches beyond.",
                            name, number_at(tune, "max_drop")));
        }
        const Json & end = std::string(side) == "above" ? points.back() : points.front();
        if (number_at(end, "strength") == strength) {
            add("steering", fmt::format("{} is the strongest on the grid: a stronger one may be allowed, too.", name));
        }
    }

    void of_tunes() {
        for (const Json & tune : model_.at("tunes")) {
            for (const Json & curve : tune.at("curves")) {
                of_choice(tune, curve, "above");
                of_choice(tune, curve, "below");
            }
            for (const Json & note : tune.value("notes", Json::array())) {
                add("steering", note.get<std::string>());
            }
        }
    }

    void of_evaluations() {
        for (const Json & evaluation : model_.at("evaluations")) {
            const std::string name = evaluation.at("evaluation");
            for (const Json & note : evaluation.value("notes", Json::array())) {
                add("evaluations", fmt::format("{}: {}", name, note.get<std::string>()));
            }
            for (const Json & row : evaluation.at("results")) {
                if (row.at("measure") != "option_mass" || row.at("scores").empty()) {
                    continue;
                }
                const double mass = estimate_of(row.at("scores")[0].at("estimate")).value;
                if (mass < low_option_mass) {
                    add("evaluations",
                        fmt::format("{}: the model answers with one of the offered options only in {:.0f} % "
                                    "of its probability, so the ranking of the options says little.",
                                    name, 100 * mass));
                }
            }
        }
    }

    const Json & model_;
    std::set<std::string> said_;
    std::vector<std::string> problems_; ///< why vectors and axes are absent, said already
};

} // namespace

Json warnings(const Json & model) {
    return Warnings(model).list;
}

} // namespace valuelens
