#pragma once

#include <string>
#include <string_view>

namespace valuelens {

/// Whether the text is well-formed UTF-8 (no overlong forms, no surrogates).
bool is_valid_utf8(std::string_view text);

/// The text with each malformed byte replaced by U+FFFD, and a sequence cut off at the end removed: what a response
/// looks like whose last token ended inside a character.
std::string to_valid_utf8(std::string_view text);

} // namespace valuelens
