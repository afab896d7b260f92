#include <memory>

#include "cli/run_folder.h"

namespace valuelens {

namespace {

struct GenerateCommandOptions {
    std::string run;
    std::string shard;
    EngineOptions engine;
};

Outcome run_generate_command(const GenerateCommandOptions & options, Context & context) {
    RunRequest request;
    request.folder = options.run;
    request.override_config = [&](RunConfig & config) {
        override_run_config(options.engine, config);
    };
    request.stages = {Stage::generate};
    request.shard = options.shard;
    request.command = "valuelens generate";
    return summary_outcome(execute_run(request, context.console, context.stop));
}

} // namespace

void setup_generate(CLI::App & app, Context & context) {
    auto options = std::make_shared<GenerateCommandOptions>();
    CLI::App * command = add_command(
        app, context, "generate", "Write the responses of a run and keep their activations",
        "valuelens generate --run my-run", [options, &context] { return run_generate_command(*options, context); });
    add_run_option(*command, options->run)->required();
    add_shard_option(*command, options->shard);
    add_engine_options(*command, options->engine);
}

} // namespace valuelens
