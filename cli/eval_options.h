#pragma once

#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/engine_options.h"
#include "cli/intervention_options.h"
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
void add_concepts_option(CLI::App & command, EvalOptions & options);
void add_parse_option(CLI::App & command, EvalOptions & options);

AnswerReading reading_of(const EvalOptions & options);

/// What {value} in the intervention stands for; nothing where it is not used. Throws Error(usage) for --values without
/// the slot, or with a value that the concept set does not have.
std::vector<std::string> values_of(const EvalOptions & options);

/// Evaluates, writes the result and describes it.
Outcome run_eval(const EvaluationTask & task, const EvalOptions & options, Context & context);

/// The subcommands whose answers are scored by rules (cli/eval_rules.cpp).
void setup_rule_evaluations(CLI::App & eval, Context & context);

} // namespace valuelens
