#pragma once

#include <string>
#include <vector>

#include "evaluate/respondent.h"

namespace valuelens {

/// Probability of the answers offered, of a model or a rater, below which its choice among them is noted to say little.
inline constexpr double low_mass = 0.5;

/// A result with what all evaluations share: name, variants, options, the tool's version.
Evaluation start_evaluation(const std::string & name, const std::string & group_kind, const Respondent & respondent,
                            const EvaluationOptions & options);

/// Notes the user's input in the settings: its name and the SHA-256 of the file, or of the names and contents of all
/// files of a folder. Nothing for an empty path.
void note_input(Evaluation & evaluation, const std::filesystem::path & input);

/// Notes the concept set: its name and the SHA-256 of all that it says of its concepts, since definitions are part of
/// judges' questions and angles of what steering is compared with.
void note_concepts(Evaluation & evaluation, const ConceptSet & concepts);

/// Notes a questionnaire's key: its name and, of a user's, the SHA-256 of its file. Nothing for an empty one.
void note_key(Evaluation & evaluation, const std::string & key);

/// Adds what the respondent says of itself, and summarizes. Throws Error(bad_input) that names the drops where no item
/// has a score under the first variant.
void finish_evaluation(Evaluation & evaluation, const Respondent & respondent, const std::vector<std::string> & groups);

/// The probability that a model answers with an option at all; quantity "option_mass".
EvaluationMeasure option_mass_measure();

std::vector<std::string> concept_ids(const ConceptSet & concepts);

} // namespace valuelens
