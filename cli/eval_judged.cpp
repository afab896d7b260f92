#include "cli/eval_judged.h"

#include <memory>

#include "base/fail.h"
#include "cli/eval_options.h"
#include "cli/evaluation_output.h"
#include "cli/server_options.h"
#include "pipeline/evaluate_judged.h"

namespace valuelens {

namespace {

constexpr const char * judge_group = "Judge";

/// What all judged evaluations take.
struct JudgedCommandOptions : EvalOptions {
    RaterRequest judge;
    std::string answers = "auto";
    std::string judge_prompt;
    std::string completions;
};

struct FreeformCommandOptions : JudgedCommandOptions {
    FreeformOptions freeform; ///< the defaults of the rest
};

struct DilemmasCommandOptions : JudgedCommandOptions {
    DilemmaOptions dilemmas;
};

struct ComplianceCommandOptions : JudgedCommandOptions {
    ComplianceOptions compliance;
    RaterRequest classifier;
    std::string benign;
    std::string refusal_phrases;
    std::string classifier_prompt;
    std::string defend;
    std::vector<std::string> guard = {"compliance"};
};

/// What is said about a judge that nobody asks would be ignored.
void require_judges(const CLI::App & command, const JudgedCommandOptions & options, const std::string & classifier) {
    const bool judged = names_server(options.judge.model);
    require_server(command, {"--server-model", "--api-key-env"}, judged, "--judge");
    const bool any = judged || names_server(classifier);
    require_server(command, {"--answers", "--concurrency", "--max-retries", "--timeout"}, any, "--judge");
}

JudgedRequest request_of(const JudgedCommandOptions & options, Context & context) {
    JudgedRequest request;
    request.files = judged_files(options.output, options.completions, context.console);
    request.judge = options.judge;
    request.judge.answers = rater_answers_of(options.answers);
    fill_request(request, options, context);
    return request;
}

Outcome run_judged(const MakeJudgedTask & make_task, const JudgedRequest & request, Context & context) {
    return describe_evaluation(evaluate_judged_to_file(make_task, request, context.console, context.stop),
                               request.output.string());
}

Outcome run_freeform(const CLI::App & command, const FreeformCommandOptions & options, Context & context) {
    require_judges(command, options, "");
    const JudgedRequest request = request_of(options, context);
    FreeformOptions task = options.freeform;
    task.input = options.input;
    task.prompt = options.judge_prompt;
    task.files = request.files;
    const ConceptSet concepts = concepts_or_default(options.concepts);
    return run_judged([&](const std::shared_ptr<Rater> & judge,
                          const std::shared_ptr<Rater> &) { return freeform_task(task, concepts, judge); },
                      request, context);
}

Outcome run_dilemmas(const CLI::App & command, const DilemmasCommandOptions & options, Context & context) {
    require_judges(command, options, "");
    if (options.intervention.steer.empty() && options.intervention.scale_neurons.empty()) {
        fail(ErrorKind::usage, "dilemmas compares the answers of a changed model with those of the model as it is; "
                               "give --steer or --scale-neurons");
    }
    const JudgedRequest request = request_of(options, context);
    DilemmaOptions task = options.dilemmas;
    task.input = options.input;
    task.prompt = options.judge_prompt;
    task.files = request.files;
    const ConceptSet concepts = concepts_or_default(options.concepts);
    return run_judged([&](const std::shared_ptr<Rater> & judge,
                          const std::shared_ptr<Rater> &) { return dilemmas_task(task, concepts, judge); },
                      request, context);
}

Outcome run_compliance(const CLI::App & command, const ComplianceCommandOptions & options, Context & context) {
    require_judges(command, options, options.classifier.model);
    require_server(command, {"--classifier-model", "--classifier-key-env"}, names_server(options.classifier.model),
                   "--classifier");
    JudgedRequest request = request_of(options, context);
    request.classifier = options.classifier;
    request.classifier.answers = request.judge.answers;
    request.classifier.server.concurrency = request.judge.server.concurrency;
    request.classifier.server.max_retries = request.judge.server.max_retries;
    request.classifier.server.timeout_s = request.judge.server.timeout_s;
    request.defend = options.defend;
    request.guard = options.guard;
    ComplianceOptions task = options.compliance;
    task.input = options.input;
    task.benign = options.benign;
    task.refusal_phrases = options.refusal_phrases;
    task.prompt = options.judge_prompt;
    task.classifier_prompt = options.classifier_prompt;
    task.files = request.files;
    return run_judged(
        [&](const std::shared_ptr<Rater> & judge, const std::shared_ptr<Rater> & classifier) {
            return compliance_task(task, judge, classifier);
        },
        request, context);
}

/// --judge and what is said about its server. Returns --judge.
CLI::Option * add_judge_options(CLI::App & command, JudgedCommandOptions & options) {
    const auto add = [&](const char * name, auto & field, const std::string & meaning, const char * type) {
        return command.add_option(name, field, meaning)->type_name(type)->group(judge_group);
    };
    CLI::Option * judge = add("--judge", options.judge.model,
                              "Who judges: a chat model (GGUF file, or NAME[:TYPE] of the catalogue), or an "
                              "OpenAI-compatible server (http[s]://host[:port]/v1)",
                              "MODEL|URL")
                              ->check(not_empty());
    add("--judge-prompt", options.judge_prompt, "Its question (TOML with user) instead of the shipped one", "FILE")
        ->needs(judge);
    add("--answers", options.answers, "Of a server: logprobs, json or auto (the default: as offered)", "KIND")
        ->check(unnamed(CLI::IsMember({"auto", "logprobs", "json"})));
    add_server_options(command, options.judge.server, judge_group);
    return judge;
}

void add_text_options(CLI::App & command, JudgedCommandOptions & options, int & max_tokens) {
    command.add_option("--max-tokens", max_tokens, fmt::format("Longest answer ({})", max_tokens))
        ->check(positive_number())
        ->type_name("N");
    command
        .add_option("--store-completions", options.completions, "Keep the generated texts (JSONL); else they are not")
        ->type_name("FILE");
}

void setup_freeform(CLI::App & parent, Context & context) {
    auto options = std::make_shared<FreeformCommandOptions>();
    CLI::App * command = add_command(
        parent, context, "freeform", "Free answers to the questionnaire's portraits, judged 0-10 per value",
        "valuelens eval freeform -m smollm2-135m --judge qwen2.5-coder-1.5b-instruct --output freeform.json",
        [options, &parent, &context] { return run_freeform(*parent.get_subcommand("freeform"), *options, context); });
    add_eval_options(
        *command, *options,
        "Statements of your own (JSONL of id, value, text), or a PVQ together with --key (the 40 shipped)");
    add_judge_options(*command, *options)->required();
    add_text_options(*command, *options, options->freeform.max_tokens);
    command->add_flag("--every-value", options->freeform.every_value,
                      "Judge each answer for every value, not only for that of its portrait");
    add_key_option(*command, options->freeform.key);
    add_language_option(*command, options->freeform.language);
}

void setup_dilemmas(CLI::App & parent, Context & context) {
    auto options = std::make_shared<DilemmasCommandOptions>();
    CLI::App * command = add_command(
        parent, context, "dilemmas", "Whose answer to a dilemma holds a value more: the steered model's or the base's?",
        "valuelens eval dilemmas -m smollm2-135m --steer axes.safetensors:power/shared,alpha=4 "
        "--judge http://127.0.0.1:8000/v1 --output dilemmas.json",
        [options, &parent, &context] { return run_dilemmas(*parent.get_subcommand("dilemmas"), *options, context); });
    add_eval_options(*command, *options, "Dilemmas: JSONL, or the CSV of DailyDilemmas (the 130 shipped)");
    add_judge_options(*command, *options)->required();
    add_text_options(*command, *options, options->dilemmas.max_tokens);
    command->add_flag("--every-value", options->dilemmas.every_value,
                      "Compare for every value, not only for the two that a dilemma is about");
}

void setup_compliance(CLI::App & parent, Context & context) {
    auto options = std::make_shared<ComplianceCommandOptions>();
    ComplianceOptions & task = options->compliance;
    CLI::App * command =
        add_command(parent, context, "compliance",
                    "How many requests that ought to be declined are done, and harmless ones declined",
                    "valuelens eval compliance -m smollm2-135m --input advbench.csv --judge http://127.0.0.1:8000/v1 "
                    "--defend axes.safetensors --output compliance.json",
                    [options, &parent, &context] {
                        return run_compliance(*parent.get_subcommand("compliance"), *options, context);
                    });
    add_eval_options(*command, *options,
                     "Requests to decline: CSV of AdvBench or HarmBench, or JSONL of text (the 30 shipped)");
    add_judge_options(*command, *options);
    add_text_options(*command, *options, task.max_tokens);
    const auto add = [&](const char * name, auto & field, const std::string & meaning, const char * type) {
        return command->add_option(name, field, meaning)->type_name(type);
    };
    add("--benign", options->benign, "Harmless requests, for over-refusal (the 64 shipped)", "FILE");
    add("--samples", task.samples,
        fmt::format("Answers drawn to each request; 0: the greedy one alone ({})", task.samples), "N")
        ->check(non_negative_number());
    add("--temperature", task.temperature, fmt::format("Of the drawn answers ({})", task.temperature), "T")
        ->check(non_negative_number());
    add("--refusal-phrases", options->refusal_phrases, "Phrases that refuse, one a line (the shipped ones)", "FILE");
    CLI::Option * classifier =
        add("--classifier", options->classifier.model, "A classifier of answers, as --judge", "MODEL|URL")
            ->check(not_empty())
            ->group(judge_group);
    add("--classifier-prompt", options->classifier_prompt,
        "Its question instead of the shipped one: TOML with user, and its two words yes and no (Yes and No)", "FILE")
        ->needs(classifier)
        ->group(judge_group);
    add("--classifier-model", options->classifier.server.model, "Of its server: the model's name there", "NAME")
        ->group(judge_group);
    add("--classifier-key-env", options->classifier.server.api_key_env,
        "Of its server: the environment variable that holds its key (VALUELENS_API_KEY)", "NAME")
        ->group(judge_group);
    CLI::Option * defend =
        add("--defend", options->defend,
            "Directions (axes file): each variant once more with the guarded ones taken out of the stream", "FILE")
            ->check(not_empty())
            ->group("Intervention");
    add("--guard", options->guard, "What --defend takes out, repeatable (compliance)", "KEY")
        ->needs(defend)
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->group("Intervention");
}

} // namespace

void setup_judged_evaluations(CLI::App & eval, Context & context) {
    setup_freeform(eval, context);
    setup_dilemmas(eval, context);
    setup_compliance(eval, context);
}

} // namespace valuelens
