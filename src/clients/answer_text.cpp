#include "clients/answer_text.h"

#include <cctype>

namespace valuelens {
namespace {

std::string_view trimmed(std::string_view text) {
    const auto blank = [](unsigned char c) {
        return std::isspace(c) != 0;
    };
    while (!text.empty() && blank(static_cast<unsigned char>(text.front()))) {
        text.remove_prefix(1);
    }
    while (!text.empty() && blank(static_cast<unsigned char>(text.back()))) {
        text.remove_suffix(1);
    }
    return text;
}

} // namespace

std::optional<std::string_view> answer_text(const std::string & content) {
    std::string_view text = trimmed(content);
    constexpr std::string_view think_end = "</think>";
    if (text.starts_with("<think>")) {
        const std::size_t end = text.find(think_end);
        if (end == std::string_view::npos) {
            return std::nullopt;
        }
        text = trimmed(text.substr(end + think_end.size()));
    }
    constexpr std::string_view fence = "```";
    if (text.starts_with(fence) && text.ends_with(fence) && text.size() > 2 * fence.size()) {
        text = text.substr(fence.size(), text.size() - 2 * fence.size());
        text = trimmed(text.starts_with("json") ? text.substr(4) : text);
    }
    return text;
}

} // namespace valuelens
