#include "clients/answer_text.h"

#include "base/text.h"

namespace valuelens {

std::optional<std::string_view> behind_think_block(std::string_view text) {
    constexpr std::string_view think_end = "</think>";
    text = trimmed(text);
    if (!text.starts_with("<think>")) {
        return text;
    }
    const std::size_t end = text.find(think_end);
    return end == std::string_view::npos ? std::nullopt : std::optional(trimmed(text.substr(end + think_end.size())));
}

std::optional<std::string_view> answer_text(std::string_view content) {
    const std::optional<std::string_view> answer = behind_think_block(content);
    if (!answer) {
        return std::nullopt;
    }
    std::string_view text = *answer;
    constexpr std::string_view fence = "```";
    if (text.starts_with(fence) && text.ends_with(fence) && text.size() > 2 * fence.size()) {
        text = text.substr(fence.size(), text.size() - 2 * fence.size());
        text = trimmed(text.starts_with("json") ? text.substr(4) : text);
    }
    return text;
}

} // namespace valuelens
