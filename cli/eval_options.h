#pragma once

#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/engine_options.h"
#include "cli/intervention_options.h"
#include "pipeline/evaluate_tools.h"
#include "valuelens/evaluation.h"

namespace valuelens {

/// What all evaluations take.
struct EvalOptions {
    EngineOptions engine;
    InterventionOptions intervention;
    std::vector<std::string> values; ///< for {value} in the intervention
    EvaluationOptions evaluation;
    std::string input;
    std::string concepts;
    std::string output;
    std::string parse = "logprobs";
};

/// Returns the option --input.
CLI::Option * add_eval_options(CLI::App & command, EvalOptions & options, const char * input);
void add_parse_option(CLI::App & command, EvalOptions & options);
void add_key_option(CLI::App & command, std::string & key);
void add_language_option(CLI::App & command, std::string & language);

AnswerReading reading_of(const EvalOptions & options);

/// What {value} in the intervention stands for; nothing where it is not used. Throws Error(usage) for --values without
/// the slot, with a value that the concept set does not have or that comes twice, and as load_concept_set() does.
std::vector<std::string> values_of(const EvalOptions & options);

/// What all evaluations are asked for, with the model found or fetched. Throws as values_of and apply_and_resolve do.
void fill_request(EvaluateRequest & request, const EvalOptions & options, Context & context);

/// Evaluates, writes the result and describes it.
Outcome run_eval(const EvaluationTask & task, const EvalOptions & options, Context & context);

} // namespace valuelens
