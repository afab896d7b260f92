#include <memory>

#include "cli/judge_batch.h"
#include "cli/run_folder.h"

namespace valuelens {

namespace {

struct JudgeCommandOptions {
    std::string run;
    std::string shard;
    bool rejudge = false;
    EngineOptions engine;
};

Outcome run_judge_command(const JudgeCommandOptions & options, Context & context) {
    RunRequest request;
    request.folder = options.run;
    request.override_config = [&](RunConfig & config) {
        // -m and -np mean the judge's here: the subject has no part in this stage.
        RunConfig given = config;
        override_run_config(options.engine, given);
        config.threads = given.threads;
        config.n_gpu_layers = given.n_gpu_layers;
        config.judge_model = options.engine.model ? given.model : config.judge_model;
        config.judge_parallel = options.engine.parallel ? given.parallel : config.judge_parallel;
    };
    request.stages = {Stage::judge};
    request.shard = options.shard;
    request.rejudge = options.rejudge;
    request.command = "valuelens judge";
    return summary_outcome(execute_run(request, context.console, context.stop));
}

} // namespace

void setup_judge(CLI::App & app, Context & context) {
    auto options = std::make_shared<JudgeCommandOptions>();
    CLI::App * command =
        add_command(app, context, "judge", "Label the responses of a run", "valuelens judge --run my-run",
                    [options, &context] { return run_judge_command(*options, context); });
    // `judge export` and `judge import` have a --run of their own: it is missed only where neither is called.
    add_run_option(*command, options->run);
    command->callback([command, options, &context] {
        if (!command->get_subcommands().empty()) {
            return;
        }
        if (options->run.empty()) {
            throw CLI::RequiredError("--run");
        }
        context.action = [options, &context] {
            return run_judge_command(*options, context);
        };
    });
    setup_judge_batch(*command, context);
    add_shard_option(*command, options->shard);
    command->add_flag(
        "--rejudge", options->rejudge,
        "Forget the labels that are there and judge anew (another judge: [judge] in the run's config.toml)");
    add_engine_options(*command, options->engine)->description("The judge's model (the run's config)");
}

} // namespace valuelens
