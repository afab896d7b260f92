#include <filesystem>
#include <memory>

#include "base/fail.h"
#include "base/file.h"
#include "cli/run_folder.h"
#include "pipeline/shard.h"
#include "valuelens/report.h"

namespace valuelens {

namespace {

namespace fs = std::filesystem;

struct RunOptions {
    std::string config;
    std::string run;
    std::string shard;
    EngineOptions engine;
};

/// The folder that was named, else the run that the config belongs to, else one beside the config, named after it.
fs::path run_folder(const RunOptions & options) {
    if (!options.run.empty()) {
        return options.run;
    }
    const fs::path config = options.config;
    const fs::path folder = config.has_parent_path() ? config.parent_path() : fs::path(".");
    if (fs::exists(folder / "run.sqlite")) {
        return folder;
    }
    return folder / (config.stem().string() + ".run");
}

/// The last stage: the report of a run that has all it is made from. A report that is as it should be is left alone.
void write_report(const fs::path & folder, RunSummary & summary) {
    if (run_status(folder).next != "nothing") {
        return;
    }
    const fs::path file = folder / "report.html";
    const std::string page = render_report({folder, {}, {}}, ReportFormat::html);
    if (!fs::exists(file) || read_file(file) != page) {
        write_file(file, page);
    }
    summary.files.emplace_back(file.string(), "the report, to look at in a browser");
}

Outcome run_run(const RunOptions & options, Context & context) {
    if (!fs::exists(options.config)) {
        fail(ErrorKind::bad_input, "{}: cannot be read (there is no such file)", options.config);
    }
    RunRequest request;
    request.folder = shard_folder(run_folder(options), parse_shard(options.shard));
    request.config = options.config;
    request.override_config = [&](RunConfig & config) {
        override_run_config(options.engine, config);
    };
    request.shard = options.shard;
    context.console.message(LogLevel::info, fmt::format("run: {}", request.folder.string()));
    RunSummary summary = execute_run(request, context.console, context.stop);
    write_report(request.folder, summary);
    return summary_outcome(summary);
}

} // namespace

void setup_run(CLI::App & app, Context & context) {
    auto options = std::make_shared<RunOptions>();
    CLI::App * command = add_command(
        app, context, "run", "Do all stages; the same command again goes on where it stopped",
        "valuelens run config.toml --run my-run", [options, &context] { return run_run(*options, context); });
    command->add_option("config", options->config, "What to run (TOML)")->required()->type_name("CONFIG.toml");
    add_run_option(*command, options->run)
        ->description("Folder of the run (CONFIG.run beside the config, or where the config lies if that is a run)");
    add_shard_option(*command, options->shard);
    add_engine_options(*command, options->engine);
}

} // namespace valuelens
