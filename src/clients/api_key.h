#pragma once

#include <string>

namespace valuelens {

/// The key in this environment variable, the only place that keys come from; empty where it is not set. Throws
/// Error(usage), without the key in the sentence, where the name is no variable's or the key holds blanks or control
/// characters.
std::string api_key(const std::string & variable);

/// The text with every occurrence of the key made unreadable: servers repeat a wrong key in their errors.
std::string without_key(std::string text, const std::string & key);

} // namespace valuelens
