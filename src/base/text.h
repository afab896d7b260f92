#pragma once

#include <string>
#include <string_view>

namespace valuelens {

/// Whether there is nothing but ASCII white space.
bool is_blank(std::string_view text);

/// The text without leading and trailing ASCII white space.
std::string_view trimmed(std::string_view text);

/// The text with ASCII letters in lower case and all other bytes as they are.
std::string lower_ascii(std::string_view text);

} // namespace valuelens
