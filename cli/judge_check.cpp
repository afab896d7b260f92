#include <algorithm>
#include <filesystem>
#include <memory>
#include <utility>

#include "base/fail.h"
#include "cli/command.h"
#include "cli/engine_options.h"
#include "cli/judge_output.h"
#include "cli/run_folder.h"
#include "pipeline/judge_tools.h"

namespace valuelens {

namespace {

struct JudgeCheckCommandOptions {
    std::vector<std::string> labelled;
    std::string concepts;
    std::string judge = "probe";
    std::string probe = "auto";
    std::string prompt = "auto";
    std::string prior = "balanced";
    std::string file;
    std::string url;
    std::string server_model;
    std::string answers = "auto";
    std::optional<int> concurrency;
    std::size_t limit = 0;
    EngineOptions engine;
};

/// What is said about one kind of judge and would be ignored by the one that is asked.
void require_kind(const CLI::App & command, const std::string & kind) {
    const std::pair<const char *, std::vector<std::string>> of_kinds[] = {
        {"--probe", {"probe"}},          {"--prior", {"probe"}},
        {"--prompt", {"ask", "server"}}, {"--file", {"file", "dictionary"}},
        {"--url", {"server"}},           {"--server-model", {"server"}},
        {"--answers", {"server"}},       {"--concurrency", {"server"}}};
    for (const auto & [option, kinds] : of_kinds) {
        if (command.count(option) > 0 && std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) {
            fail(ErrorKind::usage, "{} is said of judges of the kind {}, and --judge is {}", option,
                 fmt::join(kinds, " or "), kind);
        }
    }
}

Outcome run_judge_check(const CLI::App & command, const JudgeCheckCommandOptions & options, Context & context) {
    require_kind(command, options.judge);
    JudgeCheckRequest request;
    override_run_config(options.engine, request.config);
    request.config.judge_model = options.engine.model.value_or("");
    request.config.judge_parallel = request.config.parallel;
    request.config.concepts_file = options.concepts;
    request.config.judge_kind = options.judge;
    request.config.judge_probe = options.probe;
    request.config.judge_prompt = options.prompt;
    request.config.judge_prior = options.prior;
    request.config.judge_file = options.file;
    request.config.judge_server.url = options.url;
    request.config.judge_server.model = options.server_model;
    request.config.judge_answers = options.answers;
    if (options.concurrency) {
        request.config.judge_server.concurrency = *options.concurrency;
    }
    request.labelled.assign(options.labelled.begin(), options.labelled.end());
    request.limit = options.limit;
    request.options.seed = options.engine.seed.value_or(0);
    return judge_outcome(check_judge_on_files(request, context.console, context.stop));
}

} // namespace

void setup_judge_check(CLI::App & app, Context & context) {
    auto options = std::make_shared<JudgeCheckCommandOptions>();
    CLI::App * command =
        add_command(app, context, "judge-check", "Measure a judge on texts that people labelled",
                    "valuelens judge-check --labelled touche23/arguments-validation.tsv", [options, &context, &app] {
                        return run_judge_check(*app.get_subcommand("judge-check"), *options, context);
                    });
    add_engine_options(*command, options->engine);
    command->add_option("--labelled", options->labelled, "Labelled texts: JSONL, or Touché23-ValueEval (folder or TSV)")
        ->required()
        ->type_name("FILE...");
    command->add_option("--concepts", options->concepts, "Concept set (TOML) instead of Schwartz's ten values")
        ->type_name("FILE");
    command
        ->add_option("--judge", options->judge,
                     "probe (default), ask (the model of -m, yes or no), server (the same), file or dictionary")
        ->check(CLI::IsMember({"probe", "ask", "server", "file", "dictionary"}).description(""))
        ->type_name("KIND");
    command
        ->add_option("--probe", options->probe,
                     "Shipped names joined by +, or a file of judge-train (all shipped ones)")
        ->type_name("NAME|FILE");
    command
        ->add_option("--prompt", options->prompt,
                     "Of judge ask or server: TOML with user, yes and no (auto: the shipped one for the model)")
        ->type_name("FILE");
    command->add_option("--prior", options->prior, "Of the probe: balanced (default) or training")
        ->check(CLI::IsMember({"balanced", "training"}).description(""))
        ->type_name("PRIOR");
    command->add_option("--file", options->file, "Labels (judge file) or word list (judge dictionary)")
        ->type_name("FILE");
    command->add_option("--url", options->url, "Of judge server: http[s]://host[:port]/v1; its key: VALUELENS_API_KEY")
        ->type_name("URL");
    command
        ->add_option("--server-model", options->server_model, "Of judge server: the model's name there (the only one)")
        ->type_name("NAME");
    command
        ->add_option("--answers", options->answers, "Of judge server: logprobs, json or auto (the default: as offered)")
        ->check(CLI::IsMember({"auto", "logprobs", "json"}).description(""))
        ->type_name("KIND");
    command->add_option("--concurrency", options->concurrency, "Of judge server: requests in flight (16)")
        ->check(CLI::Range(1, 1024).description(""))
        ->type_name("N");
    command->add_option("--limit", options->limit, "Measure on a seeded sample of so many texts (0: all)")
        ->check(non_negative_number())
        ->type_name("N");
}

} // namespace valuelens
