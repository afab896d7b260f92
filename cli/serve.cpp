#include <cstdlib>
#include <memory>

#include "base/fail.h"
#include "cli/command.h"
#include "cli/engine_options.h"
#include "cli/result_json.h"
#include "cli/watch_options.h"
#include "serve/server.h"

namespace valuelens {

namespace {

constexpr const char * key_variable = "VALUELENS_API_KEY";

struct ServeCommandOptions {
    EngineOptions engine;
    WatchArguments watch;
    std::string sources;
    std::string monitor;
    std::string thresholds;
    std::string defend = "off";
    std::optional<std::string> api_key;
    double max_body_mib = 4;
    ServeOptions serve; ///< the defaults of the rest
};

std::string find_api_key(const ServeCommandOptions & given) {
    const char * variable = std::getenv(key_variable);
    const std::string key = given.api_key ? *given.api_key : variable == nullptr ? "" : variable;
    if ((given.api_key || variable != nullptr) && key.find_first_not_of(' ') == std::string::npos) {
        fail(ErrorKind::usage, "the API key ({}) is empty; give one or leave it out",
             given.api_key ? "--api-key" : key_variable);
    }
    return key;
}

Outcome run_serve(const ServeCommandOptions & given, Context & context) {
    ServeOptions options = given.serve;
    options.sources = given.sources;
    options.api_key = find_api_key(given);
    options.seed = given.engine.seed;
    options.thresholds = given.thresholds;
    options.defend = given.defend == "all" ? Defend::all : given.defend == "flagged" ? Defend::flagged : Defend::off;
    options.max_body = static_cast<std::size_t>(given.max_body_mib * (1 << 20));
    if (!given.monitor.empty()) {
        options.monitor = to_watch_options(given.monitor, given.watch);
    }
    apply_and_resolve(given.engine, options.model, options.scheduler, context);

    Server server(options, context.console, context.stop);
    const ServeResult result = server.run(context.stop);
    return {{{"port", server.port()},
             {"requests", result.requests},
             {"finished", result.live.finished},
             {"failed", result.live.failed},
             {"cancelled", result.live.cancelled},
             {"stats", stats_json(result.live.work)}},
            fmt::format("{} requests answered; {} responses finished, {} failed, {} given up", result.requests,
                        result.live.finished, result.live.failed, result.live.cancelled)};
}

void add_limits(CLI::App & command, ServeCommandOptions & options) {
    constexpr const char * group = "Limits";
    ServeOptions & serve = options.serve;
    command
        .add_option("--max-tokens", serve.max_tokens, fmt::format("Longest response in tokens ({})", serve.max_tokens))
        ->check(positive_number())
        ->type_name("N")
        ->group(group);
    command
        .add_option("--max-choices", serve.max_choices,
                    fmt::format("Responses to one request: its prompts times n ({})", serve.max_choices))
        ->check(positive_number())
        ->type_name("N")
        ->group(group);
    command
        .add_option("--max-body", options.max_body_mib, fmt::format("Largest body in MiB ({})", options.max_body_mib))
        ->check(unnamed(CLI::Range(0.001, 1024.0)))
        ->type_name("MIB")
        ->group(group);
    command
        .add_option(
            "--queue", serve.queue,
            fmt::format("Responses that may wait beside those being written; more get status 429 ({})", serve.queue))
        ->check(unnamed(CLI::Range(0, 4096)))
        ->type_name("N")
        ->group(group);
}

} // namespace

void setup_serve(CLI::App & app, Context & context) {
    auto options = std::make_shared<ServeCommandOptions>();
    ServeOptions & serve = options->serve;
    CLI::App * command =
        add_command(app, context, "serve", "Serve the model over HTTP, OpenAI-compatible, steered as each request asks",
                    "valuelens serve -m smollm2-135m --port 8080 --sources runs/demo",
                    [options, &context] { return run_serve(*options, context); });
    add_engine_options(*command, options->engine)->required();
    command->get_option("--parallel")
        ->description(fmt::format("Also -np. Responses written at once ({})", serve.scheduler.parallel));
    command->add_option("--host", serve.host, fmt::format("Address to bind ({})", serve.host))->type_name("HOST");
    command->add_option("--port", serve.port, fmt::format("Port to bind; 0: any that is free ({})", serve.port))
        ->check(unnamed(CLI::Range(0, 65535)))
        ->type_name("N");
    command
        ->add_option("--sources", options->sources,
                     "Folder of directions and neurons that requests may name; nothing outside it can be")
        ->type_name("FOLDER");
    command
        ->add_option("--api-key", options->api_key,
                     fmt::format("Ask clients for this key. Others on this machine can see it in the process list; the "
                                 "environment variable {} keeps it from them",
                                 key_variable))
        ->type_name("KEY");
    command->add_option("--alias", serve.alias, "The model's name for clients (the file's)")->type_name("NAME");
    add_limits(*command, *options);
    constexpr const char * group = "Monitor and defend";
    command
        ->add_option("--monitor", options->monitor,
                     "Report each response's projections on directions of this file, as axes.safetensors")
        ->type_name("FILE")
        ->group(group);
    add_watch_options(*command, options->watch, group);
    command
        ->add_option("--thresholds", options->thresholds,
                     "Flag what exceeds these; `valuelens monitor --learn` makes them")
        ->type_name("FILE")
        ->group(group);
    add_defend_option(*command, options->defend, group);
}

} // namespace valuelens
