#include "pipeline/monitor.h"

#include <fmt/format.h>

#include <memory>

#include "cli/command.h"
#include "cli/engine_options.h"
#include "cli/result_json.h"
#include "cli/watch_options.h"

namespace valuelens {

namespace {

struct MonitorCommandOptions {
    EngineOptions engine;
    WatchArguments watch;
    std::string directions;
    std::string input;
    std::string output;
    std::string learn;
    std::string thresholds;
    std::string defend = "off";
    MonitorOptions monitor; ///< the defaults of the rest
};

nlohmann::ordered_json result_json(const MonitorCommandOptions & given, const MonitorResult & result) {
    nlohmann::ordered_json json;
    if (!given.output.empty()) {
        json["output"] = given.output;
    }
    if (!given.learn.empty()) {
        json["learned"] = given.learn;
    }
    json["layers"] = result.watch.layers;
    json["responses"] = result.n_responses;
    json["empty"] = result.n_empty;
    json["too_long"] = result.too_long;
    if (result.thresholds && given.learn.empty()) {
        json["flagged"] = result.n_flagged;
        json["rewritten"] = result.n_rewritten;
    }
    json["directions"] = nlohmann::ordered_json::array();
    for (std::size_t d = 0; d < result.watch.names.size(); ++d) {
        nlohmann::ordered_json direction = {{"name", result.watch.names[d]}, {"mean", result.mean[d]}};
        if (result.thresholds) {
            const WatchThresholds::Limits & limits = result.thresholds->limits[d];
            direction["thresholds"] = {{"prompt", limits.prompt}, {"early", limits.early}, {"mean", limits.mean}};
        }
        json["directions"].push_back(std::move(direction));
    }
    if (result.thresholds) {
        json["guard"] = result.thresholds->guard;
        json["quantile"] = result.thresholds->quantile;
        json["window"] = result.thresholds->window;
    }
    json["stats"] = stats_json(result.stats);
    return json;
}

std::string result_text(const MonitorCommandOptions & given, const MonitorResult & result) {
    std::string text = fmt::format("{} responses ({} empty, {} too long), blocks {}-{}\n{:<32} {:>10}",
                                   result.n_responses, result.n_empty, result.too_long.size(),
                                   result.watch.layers.front(), result.watch.layers.back(), "direction", "mean");
    text += result.thresholds ? fmt::format(" {:>10}", "threshold") : "";
    for (std::size_t d = 0; d < result.watch.names.size(); ++d) {
        text += fmt::format("\n{:<32} {:>10.4f}", result.watch.names[d], result.mean[d]);
        text += result.thresholds ? fmt::format(" {:>10.4f}", result.thresholds->limits[d].mean) : "";
    }
    if (!given.learn.empty()) {
        text += fmt::format("\n{}: thresholds at the quantile {}, guarding {}", given.learn,
                            result.thresholds->quantile, fmt::join(result.thresholds->guard, ", "));
    } else if (result.thresholds) {
        text += fmt::format("\n{} flagged, {} written anew", result.n_flagged, result.n_rewritten);
    }
    return text;
}

Outcome run_monitor(const MonitorCommandOptions & given, Context & context) {
    MonitorOptions options = given.monitor;
    options.watch = to_watch_options(given.directions, given.watch);
    options.input = given.input;
    options.output = given.output;
    options.learn = given.learn;
    options.thresholds = given.thresholds;
    options.defend = given.defend == "all"       ? MonitorDefend::all
                     : given.defend == "flagged" ? MonitorDefend::flagged
                                                 : MonitorDefend::off;
    options.sampling.seed = given.engine.seed.value_or(0);
    apply_and_resolve(given.engine, options.model, options.scheduler, context);
    const MonitorResult result = monitor(options, context.console, context.stop);
    return {result_json(given, result), result_text(given, result)};
}

} // namespace

void setup_monitor(CLI::App & app, Context & context) {
    auto options = std::make_shared<MonitorCommandOptions>();
    CLI::App * command = add_command(
        app, context, "monitor", "Project responses on directions, flag what exceeds thresholds, or learn these",
        "valuelens monitor -m smollm2-135m --directions axes.safetensors --input benign.jsonl --learn thresholds.json\n"
        "  valuelens monitor -m smollm2-135m --directions axes.safetensors --input prompts.jsonl --thresholds "
        "thresholds.json --output report.jsonl",
        [options, &context] { return run_monitor(*options, context); });
    add_engine_options(*command, options->engine)->required();
    command
        ->add_option("--directions", options->directions,
                     "Directions: axes.safetensors, or any file that --steer reads")
        ->required()
        ->type_name("FILE");
    command
        ->add_option("--input", options->input,
                     "JSONL of id, system, user (or prompt) and response; a line without response is answered first")
        ->required()
        ->type_name("FILE");
    command->add_option("--output", options->output, "Readings: JSONL of id, text, n_tokens, monitor")
        ->type_name("FILE");
    MonitorOptions & monitor = options->monitor;
    command->add_flag("--per-token", monitor.per_token, "Write the projections of each token too");
    constexpr const char * watch_group = "Watch";
    add_watch_options(*command, options->watch, watch_group);
    command->add_option("--learn", options->learn, "Learn thresholds on this input, and write them")
        ->type_name("FILE")
        ->group(watch_group);
    command
        ->add_option("--quantile", monitor.quantile,
                     fmt::format("Share of the input that stays below what is learned ({})", monitor.quantile))
        ->type_name("X")
        ->group(watch_group);
    command
        ->add_option(
            "--window", monitor.window,
            fmt::format("Tokens at the beginning of a response by which --defend decides ({})", monitor.window))
        ->check(positive_number())
        ->type_name("N")
        ->group(watch_group);
    command
        ->add_option("--guard", monitor.guard,
                     "With --learn: a direction that flags a response, repeatable (compliance)")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->type_name("KEY")
        ->group(watch_group);
    command->add_option("--thresholds", options->thresholds, "Thresholds that were learned")
        ->type_name("FILE")
        ->group(watch_group);
    add_defend_option(*command, options->defend, watch_group);
    constexpr const char * group = "Sampling";
    command
        ->add_option("-n,--predict,--n-predict", monitor.max_tokens,
                     fmt::format("Longest answer in tokens ({})", monitor.max_tokens))
        ->check(positive_number())
        ->type_name("N")
        ->group(group);
    command
        ->add_option("--temp", monitor.sampling.temperature,
                     fmt::format("Temperature; 0: greedy ({})", monitor.sampling.temperature))
        ->check(non_negative_number())
        ->type_name("X")
        ->group(group);
}

} // namespace valuelens
