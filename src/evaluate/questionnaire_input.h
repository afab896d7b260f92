#pragma once

#include <filesystem>
#include <string>

#include "concepts/questionnaire.h"
#include "valuelens/concept_set.h"

namespace valuelens {

/// The statements that a questionnaire evaluation is about: the shipped portraits, a user's file that names the values
/// itself, or one that a key belongs to (PvqOptions). Throws Error(usage) where the options contradict each other or a
/// statement measures what is not in the concept set, Error(bad_input) with file:line.
Questionnaire load_questionnaire_input(const std::filesystem::path & input, const std::string & key,
                                       const std::string & language, const ConceptSet & concepts);

} // namespace valuelens
