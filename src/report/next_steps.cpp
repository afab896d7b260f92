#include "report/findings.h"

#include <fmt/format.h>

#include "report/commands.h"

namespace valuelens {

namespace {

class Steps {
public:
    explicit Steps(const Json & model) : model_(model), run_(shell_quoted(model.at("run"))) {
        unfinished();
        steering();
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
                fmt::format("valuelens run {}/config.toml --run {}", run_, run_));
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

    /// The value whose vectors tell responses apart best, over both conditions, at the report's layer.
    std::string best_value() const {
        const Json & vectors = model_.at("vectors");
        std::string best;
        double best_auroc = 0;
        if (vectors.is_null() || model_.at("axes").is_null()) {
            return best;
        }
        const std::size_t layer = model_.at("layer");
        for (const Json & vector : vectors.at("vectors")) {
            const double auroc =
                vector.at("auroc").size() > layer ? estimate_of(vector.at("auroc")[layer]).low : std::nan("");
            if (auroc > best_auroc) {
                best_auroc = auroc;
                best = vector.at("value");
            }
        }
        return best;
    }

    std::string model_argument() const {
        return fmt::format("-m {}", shell_quoted(model_.at("model").at("path").get<std::string>()));
    }

    void steering() {
        const std::string value = best_value();
        if (value.empty()) {
            return;
        }
        const std::string axis = fmt::format("{}/axes.safetensors:{}/shared", run_, value);
        if (model_.at("tunes").empty()) {
            add(fmt::format(
                    "Find how strongly the model can be steered before it loses capability; {} has the direction "
                    "that holds up best here.",
                    value),
                fmt::format("valuelens tune {} --steer {},unit=resid --grid 0.05,0.1,0.2,0.4 --layers auto --vectors "
                            "{}/vectors.safetensors --output {}/tune-{}.json",
                            model_argument(), axis, run_, run_, value));
        }
        if (model_.at("samples").empty()) {
            add("See answers with and without steering side by side.",
                fmt::format("valuelens sample {} --input PROMPTS.jsonl --steer {},unit=resid,alpha=0.1 --output "
                            "{}/sample-{}.jsonl",
                            model_argument(), axis, run_, value));
        }
    }

    void evaluations() {
        const std::string value = best_value();
        if (value.empty() || !model_.at("evaluations").empty()) {
            return;
        }
        add("Measure on a questionnaire what steering changes.",
            fmt::format("valuelens eval pvq {} --steer {}/axes.safetensors:{}/shared,unit=resid,alpha=0.1 --output "
                        "{}/pvq-{}.json",
                        model_argument(), run_, value, run_, value));
    }

    void more_data() {
        for (const Json & warning : model_.at("warnings")) {
            const std::string text = warning.at("text");
            if (text.starts_with("Few labels") || text.starts_with("Two halves")) {
                add("Give the run more queries (queries.limit in its configuration, in a new run folder): intervals "
                    "narrow "
                    "with the square root of their number.",
                    "valuelens run CONFIG.toml --run NEW");
                return;
            }
        }
    }

    const Json & model_;
    std::string run_;
};

} // namespace

Json next_steps(const Json & model) {
    return Steps(model).list;
}

} // namespace valuelens
