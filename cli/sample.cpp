#include "pipeline/sample.h"

#include <cstdio>
#include <map>
#include <memory>

#include "base/fail.h"
#include "cli/command.h"
#include "cli/engine_options.h"
#include "cli/intervention_options.h"
#include "cli/result_json.h"

namespace valuelens {

namespace {

struct SampleCommandOptions {
    EngineOptions engine;
    InterventionOptions intervention;
    std::string input;
    std::optional<std::string> prompt;
    std::optional<std::string> system;
    std::string output;
    bool together = false;
    SampleOptions sample; ///< the defaults of the rest
};

/// Shows the answers to one prompt one after the other, each as it is written: that of the first unfinished
/// intervention runs along, those behind it wait and are shown at once when it is their turn.
class Answers {
public:
    explicit Answers(std::vector<std::string> names) : names_(std::move(names)), waiting_(names_.size()) {}

    void add(std::size_t column, std::string_view piece) {
        if (column == shown_) {
            begin();
            print(piece);
        } else {
            waiting_[column] += piece;
        }
    }

    void finish(std::size_t column) {
        finished_[column] = true;
        while (shown_ < names_.size() && finished_[shown_]) {
            begin();
            print("\n");
            begun_ = false;
            if (++shown_ < names_.size() && (finished_[shown_] || !waiting_[shown_].empty())) {
                begin();
            }
        }
    }

private:
    void begin() {
        if (!begun_) {
            begun_ = true;
            print(fmt::format("{}== {} ==\n{}", shown_ == 0 ? "" : "\n", names_[shown_], waiting_[shown_]));
        }
    }
    static void print(std::string_view text) {
        std::fwrite(text.data(), 1, text.size(), stdout);
        std::fflush(stdout);
    }

    std::vector<std::string> names_;
    std::vector<std::string> waiting_; ///< text of those that are not shown yet
    std::map<std::size_t, bool> finished_;
    std::size_t shown_ = 0;
    bool begun_ = false; ///< the heading of the one shown is out
};

void require_source(const SampleCommandOptions & options) {
    if (options.input.empty() == !options.prompt) {
        fail(ErrorKind::usage, "give the prompts with --input FILE, or one with --prompt TEXT");
    }
    if (!options.input.empty() && options.output.empty()) {
        fail(ErrorKind::usage, "--input needs --output FILE for the answers");
    }
    if (!options.input.empty() && options.system) {
        fail(ErrorKind::usage, "--system belongs to --prompt; in a file of prompts it stands beside each");
    }
    if (options.prompt && options.prompt->find_first_not_of(" \t\r\n") == std::string::npos) {
        fail(ErrorKind::usage, "--prompt is empty");
    }
    if (options.together && options.intervention.steer.size() + options.intervention.scale_neurons.size() < 2) {
        fail(ErrorKind::usage, "--together joins several --steer and --scale-neurons; give at least two");
    }
}

nlohmann::ordered_json result_json(const SampleCommandOptions & options, const SampleResult & result) {
    nlohmann::ordered_json json;
    if (!options.output.empty()) {
        json["output"] = options.output;
    }
    json["interventions"] = result.interventions;
    json["prompts"] = result.n_prompts;
    json["too_long"] = result.too_long;
    if (options.prompt) {
        json["samples"] = nlohmann::ordered_json::array();
        for (const Sample & sample : result.samples) {
            json["samples"].push_back({{"intervention", sample.intervention},
                                       {"text", sample.text},
                                       {"finish", to_string(sample.finish)},
                                       {"n_tokens", sample.n_tokens}});
        }
    }
    json["stats"] = stats_json(result.stats);
    return json;
}

Outcome run_sample(const SampleCommandOptions & given, Context & context) {
    require_source(given);
    SampleOptions options = given.sample;
    options.input = given.input;
    options.prompt = given.prompt.value_or("");
    options.system = given.system;
    options.output = given.output;
    options.steer = given.intervention.steer;
    options.scale_neurons = given.intervention.scale_neurons;
    options.together = given.together;
    options.sampling.seed = given.engine.seed.value_or(0);
    apply_and_resolve(given.engine, options.model, options.scheduler, context);

    Answers answers(sample_columns(options));
    const bool streams = given.prompt && !context.json;
    const SampleResult result =
        sample(options, context.console, context.stop,
               streams ? OnSampleText([&](std::size_t column, std::string_view piece) { answers.add(column, piece); })
                       : OnSampleText(),
               streams ? std::function<void(std::size_t)>([&](std::size_t column) { answers.finish(column); })
                       : std::function<void(std::size_t)>());
    std::string text;
    if (!given.prompt) {
        text = fmt::format("{}: {} prompts x {} interventions (base included), {} too long", given.output,
                           result.n_prompts, result.interventions.size(), result.too_long.size());
    }
    return {result_json(given, result), text};
}

} // namespace

void setup_sample(CLI::App & app, Context & context) {
    auto options = std::make_shared<SampleCommandOptions>();
    CLI::App * command = add_command(app, context, "sample",
                                     "Answer prompts with the model as it is and under interventions, side by side",
                                     "valuelens sample -m smollm2-135m --prompt \"What matters in life?\" --steer "
                                     "axes.safetensors:benevolence/shared,alpha=0.2,unit=resid",
                                     [options, &context] { return run_sample(*options, context); });
    add_engine_options(*command, options->engine)->required();
    command
        ->add_option("--input", options->input, "Prompts: JSONL of id, system, user, or of id, prompt (taken as it is)")
        ->type_name("FILE");
    command->add_option("--prompt", options->prompt, "One prompt instead; its answers are shown as they are written")
        ->type_name("TEXT");
    command->add_option("--system", options->system, "System prompt beside --prompt (none; \"\" is an empty one)")
        ->type_name("TEXT");
    command
        ->add_option("--output", options->output,
                     "Answers: JSONL of id, intervention, user or prompt, text, finish, n_tokens; with "
                     "--prompt not needed")
        ->type_name("FILE");
    add_intervention_options(*command, options->intervention);
    command
        ->add_flag("--together", options->together,
                   "All --steer and --scale-neurons at once, instead of each by itself in a column of its own")
        ->group("Intervention");
    constexpr const char * group = "Sampling";
    SampleOptions & sample = options->sample;
    command
        ->add_option("-n,--predict,--n-predict", sample.max_tokens,
                     fmt::format("Longest answer in tokens ({})", sample.max_tokens))
        ->check(positive_number())
        ->type_name("N")
        ->group(group);
    command
        ->add_option("--temp", sample.sampling.temperature,
                     fmt::format("Temperature; 0: greedy ({})", sample.sampling.temperature))
        ->check(non_negative_number())
        ->type_name("X")
        ->group(group);
    command->add_option("--top-k", sample.sampling.top_k, fmt::format("0: off ({})", sample.sampling.top_k))
        ->check(non_negative_number())
        ->type_name("N")
        ->group(group);
    command->add_option("--top-p", sample.sampling.top_p, fmt::format("1: off ({})", sample.sampling.top_p))
        ->check(unnamed(CLI::Range(0.0, 1.0)))
        ->type_name("X")
        ->group(group);
    command->add_option("--min-p", sample.sampling.min_p, fmt::format("0: off ({})", sample.sampling.min_p))
        ->check(unnamed(CLI::Range(0.0, 1.0)))
        ->type_name("X")
        ->group(group);
}

} // namespace valuelens
