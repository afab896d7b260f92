#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace valuelens {

/// A word in braces. Braces around anything else are plain text.
struct TextSlot {
    std::size_t begin;
    std::size_t end; ///< past the closing brace
    std::string_view name;
};

/// The slots of a text, in order.
std::vector<TextSlot> find_slots(std::string_view text);

/// The text with each named slot replaced by its filling; other slots, and braces inside a filling, stay as they are.
std::string fill_slots(std::string_view text,
                       std::initializer_list<std::pair<std::string_view, std::string_view>> fillings);

} // namespace valuelens
