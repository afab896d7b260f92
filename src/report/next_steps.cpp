#include "report/findings.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "report/commands.h"
#include "report/lookup.h"
#include "report/verdict.h"

namespace valuelens {

namespace {

class Steps {
public:
    explicit Steps(const Json & model)
        : model_(model), folder_(model.at("run").get<std::string>()), run_(shell_quoted(folder_)) {
        unfinished();
        choose_value();
        steering();
        steering_showed_nothing();
        evaluations();
        more_data();
    }

    Json list = Json::array();

private:
    void add(std::string text, std::string command) {
        list.push_back({{"text", std::move(text)}, {"command", std::move(command)}});
    }

    void unfinished() {
        const std::string next = model_.at("progress").at("next");
        if (next == "merge") {
            add("Join the parts into one run; vectors come from all of them together.",
                "valuelens merge PART... --output RUN");
        } else if (next == "generate" || next == "judge") {
            add("Go on with the run: what is done stays.",
                fmt::format("valuelens run {} --run {}", in_run("config.toml"), run_));
        } else if (next == "vectors") {
            add("Compute the value vectors.", fmt::format("valuelens vectors --run {}", run_));
        } else if (next == "decompose") {
            add("Split the vectors into shared and unique axes.", fmt::format("valuelens decompose --run {}", run_));
        } else if (next == "neurons") {
            add("Name the neurons behind the axes.", fmt::format("valuelens neurons --run {}", run_));
        } else if (next == "evaluate") {
            add("Do the evaluations of the run.", fmt::format("valuelens eval --run {}", run_));
        }
    }

    /// The values that have axes, first the one whose vectors tell responses apart best at the report's layer: by the
    /// lower end of the AUROC's interval, where that rests on enough held-out responses. Others have rank 0.
    void choose_value() {
        const Json * vectors = part_of(model_, "vectors");
        const Json * axes = part_of(model_, "axes");
        if (vectors == nullptr || axes == nullptr) {
            return;
        }
        const std::size_t layer = model_.at("layer");
        for (const Json & value : axes->at("axes")) {
            if (!value.at("problem").get<std::string>().empty()) {
                continue;
            }
            double rank = 0;
            for (const Json & vector : vectors->at("vectors")) {
                const Json & auroc = vector.at("auroc");
                const double low =
                    vector.at("value") == value.at("value") && auroc.size() > layer && !rests_on_few(vector)
                        ? estimate_of(auroc[layer]).low
                        : std::nan("");
                rank = low > 0.5 ? std::max(rank, low) : rank;
            }
            values_.push_back({value.at("value"), rank});
        }
        std::stable_sort(values_.begin(), values_.end(),
                         [](const auto & a, const auto & b) { return a.rank > b.rank; });
    }

    std::string spec_of(const std::string & value, const char * strength = "") const {
        return shell_quoted(fmt::format("{}/axes.safetensors:{}/shared,unit=resid{}", folder_, value, strength));
    }

    std::string in_run(const std::string & name) const { return shell_quoted(folder_ + "/" + name); }

    std::string tune_command_of(const std::string & value) const {
        return fmt::format(
            "valuelens tune {} --steer {} --grid 0.05,0.1,0.2,0.4 --layers auto --vectors {} --output {}",
            model_argument(), spec_of(value), in_run("vectors.safetensors"), in_run("tune-" + value + ".json"));
    }

    std::string model_argument() const {
        return fmt::format("-m {}", shell_quoted(model_.at("model").at("path").get<std::string>()));
    }

    void steering() {
        if (values_.empty()) {
            return;
        }
        const auto & [value, rank] = values_.front();
        if (model_.at("tunes").empty()) {
            add(fmt::format(
                    "Find how strongly the model can be steered before it loses capability; {}",
                    rank > 0 ? fmt::format("{} has the direction that holds up best here.", value_name(model_, value))
                             : fmt::format("no direction is shown to hold up here, {} is the first.",
                                           value_name(model_, value))),
                tune_command_of(value));
        }
        if (model_.at("samples").empty()) {
            add("See answers with and without steering side by side.",
                fmt::format("valuelens sample {} --prompt \"What matters in life?\" --steer {} --output {}",
                            model_argument(), spec_of(value, ",alpha=0.1"), in_run("sample-" + value + ".jsonl")));
        }
    }

    std::string steering_verdict() const {
        for (const Json & finding : model_.at("findings")) {
            if (finding.at("id") == "steering") {
                return finding.at("verdict");
            }
        }
        return {};
    }

    /// Where steering was tried and showed nothing, the same once more would tell nothing.
    void steering_showed_nothing() {
        const std::string found = steering_verdict();
        if (found == verdict::not_measured && !model_.at("tunes").empty()) {
            add("Strengths were tuned, but no gain was measured at one that is allowed. Give two or more statements of "
                "each value (--portraits), all questions (no --limit), and smaller strengths (--grid).",
                model_.at("tunes").back().at("command"));
        }
        if (found != verdict::not_shown) {
            return;
        }
        std::set<std::string> tried;
        for (const Json & tune : model_.at("tunes")) {
            for (const Json & curve : tune.at("curves")) {
                tried.insert(curve.value("value", ""));
            }
        }
        const auto other =
            std::find_if(values_.begin(), values_.end(), [&](const auto & value) { return !tried.contains(value.id); });
        constexpr const char * more = "Steering showed nothing at the strengths that were chosen. More statements and "
                                      "questions (--portraits, --questions, no --limit) give narrower intervals";
        if (other == values_.end()) {
            add(fmt::format("{}.", more), model_.at("tunes").back().at("command"));
        } else {
            add(fmt::format("{}; or try another value: {} has not been tuned yet.", more,
                            value_name(model_, other->id)),
                tune_command_of(other->id));
        }
    }

    void evaluations() {
        if (values_.empty() || !model_.at("evaluations").empty()) {
            return;
        }
        const std::string & value = values_.front().id;
        add("Measure on a questionnaire what steering changes.",
            fmt::format("valuelens eval pvq {} --steer {} --output {}", model_argument(), spec_of(value, ",alpha=0.1"),
                        in_run("pvq-" + value + ".json")));
    }

    void more_data() {
        const auto asks_for_it = [](const Json & warning) {
            const std::string text = warning.at("text");
            return text.starts_with("Few labels") || text.starts_with("Two halves") ||
                   text.starts_with("The held-out AUROC rests on fewer");
        };
        if (std::any_of(model_.at("warnings").begin(), model_.at("warnings").end(), asks_for_it)) {
            add(fmt::format("Give the run more queries: raise queries.limit in {}, and run it into a new folder. "
                            "Intervals narrow with the square root of their number.",
                            in_run("config.toml")),
                fmt::format("valuelens run {} --run {}", in_run("config.toml"), shell_quoted(folder_ + "-more")));
        }
    }

    struct Value {
        std::string id;
        double rank = 0;
    };

    const Json & model_;
    std::string folder_; ///< of the run
    std::string run_;    ///< the same as a shell takes it
    std::vector<Value> values_;
};

} // namespace

Json next_steps(const Json & model) {
    return Steps(model).list;
}

} // namespace valuelens
