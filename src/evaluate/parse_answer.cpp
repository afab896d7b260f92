#include "evaluate/parse_answer.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace valuelens {
namespace {

constexpr std::string_view around = " \t\r\n.,:;!?\"'`*()[]{}<>_";

/// What stands around an answer in the other shipped languages: no-break and ideographic spaces, quotes, full-width
/// marks.
constexpr auto wide_around = std::to_array<std::string_view>(
    {"\u00a0", "\u202f", "\u3000", "«",  "»",  "“",  "”",  "‘",  "’",  "¡",  "¿",  "…",  "。", "，", "、",
     "：",     "；",     "！",     "？", "（", "）", "「", "」", "『", "』", "《", "》", "【", "】", "．"});

std::string lower(std::string text) {
    for (char & c : text) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return text;
}

std::string_view strip(std::string_view text) {
    for (std::size_t before = text.size() + 1; text.size() < before;) {
        before = text.size();
        text.remove_prefix(std::min(text.find_first_not_of(around), text.size()));
        text = text.substr(0, text.find_last_not_of(around) + 1);
        for (const std::string_view mark : wide_around) {
            if (text.starts_with(mark)) {
                text.remove_prefix(mark.size());
            }
            if (text.ends_with(mark)) {
                text.remove_suffix(mark.size());
            }
        }
    }
    return text;
}

/// Whether a letter of an option ends where `rest` begins: at a mark that no word goes on behind. An apostrophe before
/// a letter is an elision ("c'est", "d’accord").
bool ends_letter(std::string_view rest) {
    for (const std::string_view apostrophe : {"'", "’"}) {
        if (rest.starts_with(apostrophe)) {
            rest.remove_prefix(apostrophe.size());
            return rest.empty() || std::string_view(" \t\r\n.,:;)*").find(rest.front()) != std::string_view::npos;
        }
    }
    constexpr std::string_view marks = ".,:;)]*\"\n\r";
    const auto begins = [&](std::string_view mark) {
        return rest.starts_with(mark);
    };
    return rest.empty() || marks.find(rest.front()) != std::string_view::npos ||
           std::any_of(wide_around.begin(), wide_around.end(), begins);
}

/// The letter that a stripped answer begins with, where something that is neither letter nor space follows, or nothing.
std::optional<std::size_t> leading_letter(std::string_view text, std::size_t n_options) {
    if (text.empty() || text[0] < 'a' || static_cast<std::size_t>(text[0] - 'a') >= n_options ||
        !ends_letter(text.substr(1))) {
        return std::nullopt;
    }
    return static_cast<std::size_t>(text[0] - 'a');
}

bool is_ascii_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// Whether the text from `begin` to `end` is no part of a word ("no" in "cannot"). Scripts that write no spaces have
/// no words to be part of.
bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
    const bool before = begin > 0 && is_ascii_word(text[begin - 1]) && is_ascii_word(text[begin]);
    const bool after = end < text.size() && is_ascii_word(text[end]) && is_ascii_word(text[end - 1]);
    return !before && !after;
}

/// Labels that stand in the text outside of any longer one.
std::vector<std::size_t> contained(std::string_view text, const std::vector<std::string> & labels) {
    std::vector<std::size_t> by_length(labels.size());
    for (std::size_t i = 0; i < labels.size(); ++i) {
        by_length[i] = i;
    }
    std::stable_sort(by_length.begin(), by_length.end(),
                     [&](std::size_t a, std::size_t b) { return labels[a].size() > labels[b].size(); });
    std::string rest(text);
    std::vector<std::size_t> found;
    for (const std::size_t i : by_length) {
        const std::string & label = labels[i];
        bool here = false;
        std::size_t at = label.empty() ? std::string::npos : rest.find(label);
        while (at != std::string::npos) {
            const std::size_t end = at + label.size();
            if (stands_alone(rest, at, end)) {
                rest.replace(at, label.size(), label.size(), '\0');
                here = true;
            }
            at = rest.find(label, end);
        }
        if (here) {
            found.push_back(i);
        }
    }
    return found;
}

} // namespace

std::optional<std::size_t> parse_answer(const std::string & answer, const std::vector<std::string> & labels) {
    const std::string text = lower(answer);
    const std::string_view bare = strip(text);
    std::vector<std::string> names;
    for (const std::string & label : labels) {
        names.emplace_back(strip(lower(label)));
    }

    const std::optional<std::size_t> letter = leading_letter(bare, labels.size());
    if (letter && bare.size() == 1) {
        return letter;
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (bare == names[i]) {
            return i;
        }
    }

    const std::vector<std::size_t> found = contained(bare, names);
    if (found.size() > 1 || (found.size() == 1 && letter && *letter != found.front())) {
        return std::nullopt;
    }
    return found.empty() ? letter : std::optional(found.front());
}

} // namespace valuelens
