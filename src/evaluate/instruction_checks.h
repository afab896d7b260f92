#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace valuelens {

/// Whether a response follows an instruction.
using InstructionCheck = std::function<bool(const std::string & response)>;

/// The ids that make_instruction_check() knows, sorted: the 25 of IFEval (Zhou et al. 2023, arXiv 2311.07911), and
/// `json:schema`, `neutral:rewriting` and `neutral:translation` of our own.
const std::vector<std::string> & known_instructions();

/// The check of an instruction with its arguments (an object; null members count as absent), as IFEval defines it.
/// Where Python packages decide there, we differ in what they find: sentences by ICU, not punkt; tokens by
/// count_capital_tokens(), not word_tokenize; the language by CLD2, not langdetect. A text whose language cannot be
/// told has any language, as there.
///
/// Throws Error(bad_input) for an unknown id, and that names the argument which is missing, of another type or unknown.
InstructionCheck make_instruction_check(const std::string & id, const nlohmann::json & arguments);

/// Whether the response follows as it is; an empty one follows nothing.
bool follows_strictly(const InstructionCheck & check, const std::string & response);

/// Whether the response, or what is left of it without its first line, its last line or both, each also without
/// asterisks, follows.
bool follows_loosely(const InstructionCheck & check, const std::string & response);

/// `json:schema`: arguments "schema", a JSON Schema (draft 7) that the whole response must satisfy as it stands.
InstructionCheck json_schema_check(const nlohmann::json & arguments);

/// `neutral:*`: arguments "keep", words that must remain, each with its alternatives ("doctor|physician"); none of the
/// shipped list of gendered English words may occur.
InstructionCheck gender_neutral_check(const nlohmann::json & arguments);

} // namespace valuelens
