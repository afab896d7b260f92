#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "valuelens/embedding_model.h"
#include "valuelens/evaluation.h"

namespace valuelens {

// Evaluations that are scored by rules, without a judge (docs/evaluations.md).

/// Instructions whose following a program can check: IFEval, JSON under a schema, gender-neutral wording.
struct InstructionsOptions {
    std::filesystem::path input; ///< IFEval's input_data.jsonl or one like it; empty: the shipped tasks
    int max_tokens = 512;        ///< of an answer; answers that reach it are counted
};

/// How varied answers are: within the answers to one prompt, and across prompts.
struct DiversityOptions {
    std::filesystem::path input; ///< queries in any form that load_queries() reads; empty: the shipped ones
    int max_tokens = 128;
    double temperature = 1;  ///< 0: greedy
    std::size_t samples = 4; ///< answers to each prompt; with 1, or at temperature 0, there is no diversity within
    std::size_t block = 20;  ///< prompts whose first answers are one corpus
    std::size_t vocabulary = 50000; ///< V of EAD, the same for each n
    std::size_t min_words = 10;     ///< a corpus is dropped where a variant has fewer words in it
    std::string embedding_model;  ///< whose vectors of the texts are compared, as it was named, for the result; empty:
                                  ///< the states of the model that is evaluated
    OpenEmbedding open_embedding; ///< loads it, before anything is generated
};

/// The value questionnaire under one variant for each value: what steering toward one does to the others.
///
/// A variant counts for the value whose id its name is, or begins with before a slash ("power/shared@4"); what follows
/// the slash names the set of variants that are read together.
struct CrossLingualOptions {
    PvqOptions pvq; ///< its language is not read
    std::vector<std::string> languages = {"en", "zh", "es", "fr", "ko"};
};

/// Throw as the tasks of valuelens/evaluation.h do.
std::unique_ptr<EvaluationTask> instructions_task(const InstructionsOptions & options);
std::unique_ptr<EvaluationTask> diversity_task(const DiversityOptions & options);
std::unique_ptr<EvaluationTask> leakage_task(const PvqOptions & options, const ConceptSet & concepts);
std::unique_ptr<EvaluationTask> cross_lingual_task(const CrossLingualOptions & options, const ConceptSet & concepts);

} // namespace valuelens
