#pragma once

#include <cstddef>
#include <string>

#include "concepts/rater_prompts.h"
#include "valuelens/concept_set.h"
#include "valuelens/evaluation.h"

namespace valuelens {

/// The judge's question about a value: its slots {value}, {definition} and {short} filled, others left.
std::string ask_about_value(const RaterPrompt & prompt, const Concept & value);

/// The concept of an id that is in the set.
const Concept & concept_of(const ConceptSet & concepts, const std::string & id);

/// Notes the wording of a judge's question in the settings, under its part in the evaluation.
void note_rater_prompt(Evaluation & evaluation, const std::string & role, const RaterPrompt & prompt);

/// Throws Error(usage) for less than one token.
void require_max_tokens(int max_tokens);

/// How many answers ended for want of room, and how long they are, so that a limit stated in the question can be
/// checked; `which` says of which answers ("rated"). Quantities "cut_off" and "answer_words", the words being
/// words_of().
EvaluationMeasure cut_off_measure(const std::string & which);
EvaluationMeasure answer_words_measure(const std::string & which);

/// Mean of what was added; NaN for nothing.
class ScoreMean {
public:
    void add(double score);
    double value() const;

private:
    double sum_ = 0;
    std::size_t n_ = 0;
};

} // namespace valuelens
