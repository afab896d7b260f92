#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace valuelens {

/// Which of the lettered options an answer names, by its position; nothing where it names none or more than one.
///
/// Exact: the answer is a letter or a label, or both, in any case of ASCII letters, white space, quotes, brackets,
/// asterisks and punctuation around them not minded. Else the longest label: labels found in the answer, each not as a
/// part of a longer one; there must be just one, and a letter that the answer begins with ("B. ...", "(B) ...") must
/// not name another. Else such a letter alone.
std::optional<std::size_t> parse_answer(const std::string & answer, const std::vector<std::string> & labels);

} // namespace valuelens
