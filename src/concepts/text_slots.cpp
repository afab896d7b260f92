#include "concepts/text_slots.h"

#include <algorithm>

namespace valuelens {

namespace {

bool is_word_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

} // namespace

std::vector<TextSlot> find_slots(std::string_view text) {
    std::vector<TextSlot> slots;
    for (std::size_t open = text.find('{'); open != std::string_view::npos; open = text.find('{', open + 1)) {
        const std::size_t close = text.find_first_of("{}", open + 1);
        if (close == std::string_view::npos || text[close] != '}') {
            continue;
        }
        const std::string_view name = text.substr(open + 1, close - open - 1);
        if (!name.empty() && std::all_of(name.begin(), name.end(), is_word_character)) {
            slots.push_back({open, close + 1, name});
        }
    }
    return slots;
}

std::string fill_slots(std::string_view text,
                       std::initializer_list<std::pair<std::string_view, std::string_view>> fillings) {
    std::string filled;
    std::size_t copied = 0;
    for (const TextSlot & slot : find_slots(text)) {
        const auto filling =
            std::find_if(fillings.begin(), fillings.end(), [&](const auto & pair) { return pair.first == slot.name; });
        if (filling == fillings.end()) {
            continue;
        }
        filled += text.substr(copied, slot.begin - copied);
        filled += filling->second;
        copied = slot.end;
    }
    filled += text.substr(copied);
    return filled;
}

} // namespace valuelens
