#include "pipeline/run_evaluations.h"

#include <algorithm>

#include "base/fail.h"
#include "base/hash.h"
#include "pipeline/evaluate_matrix.h"
#include "pipeline/run_setup.h"
#include "valuelens/rule_evaluations.h"

namespace valuelens {

namespace {

bool reads_questionnaire(const std::string & name) {
    return name == "pvq" || name == "leakage" || name == "cross-lingual" || name == "freeform";
}

/// The user's own files that an evaluation reads.
std::vector<std::string> inputs_of(const std::string & name, const RunConfig & config) {
    if (name == "portrait") {
        return {config.evaluate_portrait};
    }
    if (name == "instructions") {
        return {config.evaluate_instructions};
    }
    if (name == "diversity") {
        return {config.evaluate_queries};
    }
    if (name == "dilemmas") {
        return {config.written.dilemmas};
    }
    if (name == "compliance") {
        return {config.written.requests, config.written.benign};
    }
    return reads_questionnaire(name) ? std::vector{config.evaluate_questionnaire} : std::vector<std::string>();
}

/// What the config states, or, where it states nothing (0), what the evaluation has by itself.
template <typename T>
T stated_or(std::int64_t stated, T own) {
    return stated == 0 ? own : static_cast<T>(stated);
}

} // namespace

const std::vector<std::string> & evaluation_names() {
    static const std::vector<std::string> names = {
        "pvq",          "leakage",   "cross-lingual", "portrait", "multiple-choice",
        "instructions", "diversity", "freeform",      "dilemmas", "compliance"};
    return names;
}

std::vector<std::string> wanted_evaluations(const RunConfig & config) {
    const std::vector<std::string> asked = list_parts(config.evaluations, "evaluate.evaluations");
    std::vector<std::string> wanted;
    for (const std::string & name : evaluation_names()) {
        if (std::find(asked.begin(), asked.end(), name) != asked.end()) {
            wanted.push_back(name);
        }
    }
    for (const std::string & name : asked) {
        if (std::find(wanted.begin(), wanted.end(), name) == wanted.end()) {
            fail(ErrorKind::usage, "evaluate.evaluations names \"{}\"; known: {}", name,
                 fmt::join(evaluation_names(), ", "));
        }
    }
    return wanted;
}

std::string evaluation_file(const std::string & name) {
    return fmt::format("evaluation/{}.json", name);
}

bool is_written(const std::string & name) {
    return name == "instructions" || name == "diversity" || is_judged(name);
}

bool is_judged(const std::string & name) {
    return name == "freeform" || name == "dilemmas" || name == "compliance";
}

RaterRequest run_judge(const RunConfig & config) {
    const WrittenEvaluationConfig & written = config.written;
    if (!written.judge_model.empty() && !written.judge_server.url.empty()) {
        fail(ErrorKind::usage, "evaluate_written.model and evaluate_written.url both name a judge; give one");
    }
    return {written.judge_model.empty() ? written.judge_server.url : written.judge_model, written.judge_server,
            rater_answers_of(written.judge_answers)};
}

std::unique_ptr<EvaluationTask> make_run_task(const std::string & name, const RunConfig & config,
                                              const ConceptSet & concepts, const TaskTools & tools) {
    const WrittenEvaluationConfig & written = config.written;
    const PvqOptions questionnaire{.input = config.evaluate_questionnaire, .key = config.evaluate_key};
    if (name == "pvq") {
        return pvq_task(questionnaire, concepts);
    }
    if (name == "leakage") {
        return leakage_task(questionnaire, concepts);
    }
    if (name == "cross-lingual") {
        return cross_lingual_task(
            {.pvq = questionnaire, .languages = list_parts(config.evaluate_languages, "evaluate.languages")}, concepts);
    }
    if (name == "portrait") {
        if (config.evaluate_portrait.empty()) {
            fail(ErrorKind::usage, "evaluate.evaluations names portrait, which needs evaluate.portrait: Value "
                                   "Portrait's query-response-tagged.json");
        }
        return portrait_task({.input = config.evaluate_portrait}, concepts);
    }
    if (name == "multiple-choice") {
        return multiple_choice_task({});
    }
    if (name == "instructions") {
        InstructionsOptions options{.input = config.evaluate_instructions};
        options.max_tokens = stated_or(written.max_tokens, options.max_tokens);
        return instructions_task(options);
    }
    if (name == "diversity") {
        DiversityOptions options{.input = config.evaluate_queries};
        options.max_tokens = stated_or(written.max_tokens, options.max_tokens);
        options.samples = stated_or(written.samples, options.samples);
        options.block = stated_or(written.block, options.block);
        options.embedding_model = written.embedding_model;
        options.open_embedding = tools.open_embedding;
        return diversity_task(options);
    }
    if (name != "compliance" && run_judge(config).model.empty()) {
        fail(ErrorKind::usage,
             "evaluate.evaluations names {}, which needs a judge: evaluate_written.model (a local chat model) or "
             "evaluate_written.url",
             name);
    }
    if (name == "freeform") {
        FreeformOptions options{
            .input = config.evaluate_questionnaire, .key = config.evaluate_key, .files = tools.files};
        options.max_tokens = stated_or(written.max_tokens, options.max_tokens);
        return freeform_task(options, concepts, tools.judge);
    }
    if (name == "dilemmas") {
        DilemmaOptions options{.input = written.dilemmas, .files = tools.files};
        options.max_tokens = stated_or(written.max_tokens, options.max_tokens);
        return dilemmas_task(options, concepts, tools.judge);
    }
    ComplianceOptions options{.input = written.requests, .benign = written.benign, .files = tools.files};
    options.max_tokens = stated_or(written.max_tokens, options.max_tokens);
    options.samples = stated_or(written.samples, options.samples);
    return compliance_task(options, tools.judge, nullptr);
}

EvaluationOptions run_evaluation_options(const std::string & name, const RunConfig & config) {
    const std::int64_t limit =
        is_written(name) ? stated_or(config.written.limit, config.evaluate_limit) : config.evaluate_limit;
    EvaluationOptions options;
    options.limit = static_cast<std::size_t>(limit);
    options.bootstraps = static_cast<std::size_t>(config.evaluate_bootstraps);
    options.confidence = config.confidence;
    options.seed = static_cast<std::uint64_t>(config.seed);
    return options;
}

std::string evaluation_settings(const std::string & name, const RunConfig & config) {
    std::string text = fmt::format("{} {} {} {}", run_evaluation_options(name, config).limit,
                                   config.evaluate_bootstraps, config.confidence, config.seed);
    if (name == "cross-lingual") {
        text += fmt::format("\nlanguages {}", config.evaluate_languages);
    }
    if (is_written(name)) {
        text += fmt::format("\nwritten {} {}", config.written.max_tokens, config.written.samples);
    }
    if (name == "diversity" && config.written.block > 0) {
        text += fmt::format("\nblock {}", config.written.block);
    }
    if (name == "diversity" && !config.written.embedding_model.empty()) {
        const auto file = local_model(config.written.embedding_model);
        text += "\nembedding " + (file ? model_identity(file->string()) : config.written.embedding_model);
    }
    if (!config.evaluate_key.empty() && reads_questionnaire(name)) {
        const bool users = std::filesystem::exists(config.evaluate_key);
        text += fmt::format("\nkey {}", users ? sha256_file(config.evaluate_key) : config.evaluate_key);
    }
    if (is_judged(name)) {
        const RaterRequest judge = run_judge(config);
        text += fmt::format("\njudge {} {} {}", judge.model, judge.server.model, config.written.judge_answers);
    }
    if (name == "compliance") {
        text += fmt::format("\ndefend {}", config.written.defend);
    }
    for (const std::string & input : inputs_of(name, config)) {
        text += input.empty() ? "\n" : fmt::format("\n{}", sha256_file(input));
    }
    return text;
}

} // namespace valuelens
