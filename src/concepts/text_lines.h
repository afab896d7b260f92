#pragma once

#include <cstddef>
#include <string_view>

namespace valuelens {

/// Takes the first line off `rest`, without its line break and a trailing \r.
std::string_view take_line(std::string_view & rest);

/// The text without a leading UTF-8 byte-order mark.
std::string_view without_byte_order_mark(std::string_view text);

/// Calls `line(text, number)` for each line of a text, 1-based. The counterpart of for_each_line (base/file.h) for
/// texts in memory.
template <typename Line>
void for_each_text_line(std::string_view text, Line && line) {
    std::string_view rest = without_byte_order_mark(text);
    for (std::size_t number = 1; !rest.empty(); ++number) {
        line(take_line(rest), number);
    }
}

} // namespace valuelens
