#include "valuelens/neurons.h"

#include <filesystem>
#include <memory>
#include <type_traits>

#include "base/fail.h"
#include "base/file.h"
#include "cli/command.h"
#include "cli/inspect_output.h"
#include "cli/neurons_output.h"
#include "cli/run_folder.h"
#include "store/provenance.h"
#include "valuelens/models.h"

namespace valuelens {

namespace {

struct NeuronsCommandOptions {
    std::string run;
    std::string model;
    std::string axes;
    std::string output;
    std::string scope = to_string(NeuronOptions{}.scope);
    std::optional<int> threads;
    std::optional<std::uint64_t> seed;
    NeuronOptions neurons;
};

/// The stage of a run; options that were given beat its config.
Outcome run_stage(const NeuronsCommandOptions & given, const CLI::App & command, Context & context) {
    RunRequest request;
    request.folder = given.run;
    request.override_config = [&](RunConfig & config) {
        const auto put = [&](const char * option, auto value, auto & field) {
            if (command.count(option) > 0) {
                field = static_cast<std::remove_reference_t<decltype(field)>>(value);
            }
        };
        put("--top-percent", given.neurons.top_percent, config.top_percent);
        put("--max-angle", given.neurons.max_angle, config.max_angle);
        put("--scope", given.scope, config.neuron_scope);
        put("--anti-shared", given.neurons.anti_shared, config.anti_shared);
        put("--null-draws", given.neurons.null_draws, config.neuron_null_draws);
        put("--confidence", given.neurons.confidence, config.confidence);
        put("--threads", given.threads.value_or(0), config.threads);
        put("--seed", given.seed.value_or(0), config.seed);
        if (command.count("--model") > 0) {
            EngineOptions engine;
            engine.model = given.model;
            override_run_config(engine, config);
        }
    };
    request.stages = {Stage::neurons};
    request.command = "valuelens neurons";
    execute_run(request, context.console, context.stop);
    return inspection_outcome((std::filesystem::path(given.run) / "neurons.csv").string());
}

Outcome run_neurons(const NeuronsCommandOptions & given, const CLI::App & command, Context & context) {
    if (!given.run.empty()) {
        return run_stage(given, command, context);
    }
    if (given.model.empty() || given.axes.empty() || given.output.empty()) {
        fail(ErrorKind::usage, "neurons needs either --run, or all of --model, --axes and --output");
    }
    NeuronOptions options = given.neurons;
    options.scope = given.scope == to_string(NeuronScope::layer) ? NeuronScope::layer : NeuronScope::model;
    options.threads = static_cast<unsigned>(given.threads.value_or(0));
    options.seed = given.seed.value_or(options.seed);
    const std::string beside = neurons_json_path(given.output);
    if (beside == given.output) {
        fail(ErrorKind::usage, "--output {}: the table is a CSV, and a .json is written beside it; name a .csv file",
             given.output);
    }
    AtomicFile{given.output}; // said before the work, not after it
    const AxisSet axes = read_axes(given.axes);
    const std::string model =
        resolve_model(given.model, {.threads = given.threads.value_or(0)}, context.console, context.stop).string();
    const ModelInfo info = read_model_info(model);
    require_same_model(axes.provenance, info.identity, info.name, given.axes);
    const NeuronTable table = find_neurons(model, axes, options, context.console, context.stop);
    write_neurons_csv(given.output, table);
    write_file(beside, neurons_json(table) + "\n");
    return describe_neurons(table, given.output);
}

} // namespace

void setup_neurons(CLI::App & app, Context & context) {
    auto options = std::make_shared<NeuronsCommandOptions>();
    CLI::App * command = add_command(
        app, context, "neurons", "Find the MLP neurons that write along the axes of each value",
        "valuelens neurons -m smollm2-135m --axes axes.safetensors --output neurons.csv",
        [options, &app, &context] { return run_neurons(*options, *app.get_subcommand("neurons"), context); });
    NeuronOptions & neurons = options->neurons;
    CLI::Option * run = add_run_option(*command, options->run);
    command->add_option("-m,--model", options->model, "GGUF file, or NAME[:TYPE] of `valuelens models list`")
        ->type_name("MODEL");
    command->add_option("--axes", options->axes, "Axes of the values (safetensors)")->excludes(run)->type_name("FILE");
    command->add_option("--output", options->output, "Table of neurons (CSV); its companion .json is written beside it")
        ->excludes(run)
        ->type_name("FILE");
    command
        ->add_option("--top-percent", neurons.top_percent,
                     fmt::format("Share of neurons with the longest projection to keep ({})", neurons.top_percent))
        ->type_name("PERCENT");
    command
        ->add_option("--max-angle", neurons.max_angle,
                     fmt::format("A neuron further from every axis has no category; degrees ({})", neurons.max_angle))
        ->type_name("DEGREES");
    command
        ->add_option("--scope", options->scope,
                     fmt::format("Top percent of each layer or of the whole model ({})", options->scope))
        ->check(unnamed(CLI::IsMember({"layer", "model"})))
        ->type_name("layer|model");
    command->add_flag("--anti-shared", neurons.anti_shared,
                      "A category of its own for neurons that write against the shared axis");
    command->add_option("--values", neurons.values, "Only these values, in this order (all that have axes)")
        ->excludes(run)
        ->delimiter(',')
        ->type_name("LIST");
    command
        ->add_option("--null-draws", neurons.null_draws,
                     fmt::format("Random planes behind the counts by chance; 0: none ({})", neurons.null_draws))
        ->check(non_negative_number())
        ->type_name("N");
    command
        ->add_option("--confidence", neurons.confidence,
                     fmt::format("Of the interval of the counts by chance ({})", neurons.confidence))
        ->type_name("SHARE");
    add_threads_option(*command, options->threads);
    add_seed_option(*command, options->seed);
}

} // namespace valuelens
