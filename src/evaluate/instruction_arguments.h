#pragma once

#include <cstddef>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace valuelens {

// The arguments of an instruction, an object whose null members count as absent. All throw Error(bad_input) that names
// the argument and what was expected.

const nlohmann::json & instruction_argument(const nlohmann::json & arguments, const char * name);

std::string text_argument(const nlohmann::json & arguments, const char * name);

/// One Unicode character.
std::string character_argument(const nlohmann::json & arguments, const char * name);

/// One of detected_languages().
std::string language_argument(const nlohmann::json & arguments, const char * name);

/// At least one text.
std::vector<std::string> texts_argument(const nlohmann::json & arguments, const char * name);

/// A whole number from 0 on; 3.0 is one.
std::size_t number_argument(const nlohmann::json & arguments, const char * name);

/// Whether a count is "at least" or "less than" (the text at `relation`) the number at `number`.
std::function<bool(std::size_t)> amount(const nlohmann::json & arguments, const char * relation, const char * number);

} // namespace valuelens
