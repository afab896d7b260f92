#include "cli/eval_options.h"

#include <algorithm>

#include "base/fail.h"
#include "cli/evaluation_output.h"

namespace valuelens {

std::vector<std::string> values_of(const EvalOptions & options) {
    // Read where nothing needs it, too: a file that is named may be missing or bad.
    const ConceptSet concepts = concepts_or_default(options.concepts);
    if (!has_value_slot(options.intervention.steer) && !has_value_slot(options.intervention.scale_neurons)) {
        if (!options.values.empty()) {
            fail(ErrorKind::usage, "--values needs {{value}} in --steer or --scale-neurons");
        }
        return {};
    }
    std::vector<std::string> all;
    for (const Concept & each : concepts.concepts) {
        all.push_back(each.id);
    }
    for (auto value = options.values.begin(); value != options.values.end(); ++value) {
        if (!concepts.find(*value)) {
            fail(ErrorKind::usage, "--values {}: is not in the concept set {}, which has {}", *value, concepts.name,
                 fmt::join(all, ", "));
        }
        if (std::find(options.values.begin(), value, *value) != value) {
            fail(ErrorKind::usage, "--values {}: comes twice", *value);
        }
    }
    return options.values.empty() ? all : options.values;
}

CLI::Option * add_eval_options(CLI::App & command, EvalOptions & options, const char * input) {
    add_engine_options(command, options.engine)->required();
    add_intervention_options(command, options.intervention);
    command
        .add_option("--values", options.values,
                    "What {value} in --steer or --scale-neurons stands for, one variant for each (all of the concept "
                    "set)")
        ->delimiter(',')
        ->type_name("LIST")
        ->group("Intervention");
    CLI::Option * input_option = command.add_option("--input", options.input, input)->type_name("FILE");
    command.add_option("--concepts", options.concepts, "Concept set (TOML) instead of Schwartz's ten values")
        ->type_name("FILE");
    command.add_option("--output", options.output, "Result (JSON)")->required()->type_name("FILE");
    command.add_option("--limit", options.evaluation.limit, "A seeded sample of so many items; 0: all (0)")
        ->check(non_negative_number())
        ->type_name("N");
    command
        .add_option("--bootstraps", options.evaluation.bootstraps,
                    fmt::format("Resamples behind each interval ({})", options.evaluation.bootstraps))
        ->check(non_negative_number())
        ->type_name("N");
    command
        .add_option("--confidence", options.evaluation.confidence,
                    fmt::format("Of the intervals ({})", options.evaluation.confidence))
        ->type_name("SHARE");
    return input_option;
}

void add_parse_option(CLI::App & command, EvalOptions & options) {
    command
        .add_option("--parse", options.parse,
                    "logprobs (default): expected score under the options' probabilities; greedy: a generated answer")
        ->check(unnamed(CLI::IsMember({"logprobs", "greedy"})))
        ->type_name("HOW");
}

void add_key_option(CLI::App & command, std::string & key) {
    command.add_option("--key", key, "Which statements of --input belong to which value: pvq40, pvq-rr or TOML")
        ->type_name("NAME|FILE");
}

void add_language_option(CLI::App & command, std::string & language) {
    command
        .add_option("--language", language,
                    fmt::format("Of the statements and questions: en, es, fr, ko, zh ({})", language))
        ->type_name("CODE");
}

AnswerReading reading_of(const EvalOptions & options) {
    return options.parse == "greedy" ? AnswerReading::greedy : AnswerReading::logprobs;
}

void fill_request(EvaluateRequest & request, const EvalOptions & options, Context & context) {
    request.steer = options.intervention.steer;
    request.scale_neurons = options.intervention.scale_neurons;
    request.values = values_of(options);
    request.options = options.evaluation;
    request.options.seed = options.engine.seed.value_or(request.options.seed);
    request.output = options.output;
    apply_and_resolve(options.engine, request.model, request.scheduler, context);
}

Outcome run_eval(const EvaluationTask & task, const EvalOptions & options, Context & context) {
    EvaluateRequest request;
    fill_request(request, options, context);
    return describe_evaluation(evaluate_to_file(task, request, context.console, context.stop), options.output);
}

} // namespace valuelens
