#pragma once

#include <cctype>
#include <cmath>
#include <functional>
#include <string>

#include "judge/fake_service.h"

namespace valuelens::test {

/// The parts of a text between << and >>, joined.
inline std::string marked_parts(const std::string & text) {
    std::string parts;
    for (std::size_t open = text.find("<<"); open != std::string::npos; open = text.find("<<", open)) {
        const std::size_t close = text.find(">>", open);
        if (close == std::string::npos) {
            break;
        }
        parts += text.substr(open + 2, close - open - 2);
        open = close;
    }
    return parts;
}

inline std::size_t count_digits(const std::string & text) {
    std::size_t n = 0;
    for (const char c : text) {
        n += std::isdigit(static_cast<unsigned char>(c)) != 0 ? 1 : 0;
    }
    return n;
}

inline std::size_t count_marks(const std::string & text) {
    std::size_t n = 0;
    for (const char c : text) {
        n += c == '!' || c == '?' ? 1 : 0;
    }
    return n;
}

inline std::string behind(const std::string & text, const std::string & words) {
    const std::size_t at = text.find(words);
    return at == std::string::npos ? std::string() : text.substr(at + words.size());
}

/// An explainer that looks at what is marked, and a scorer that takes explanations at their word: a person who knows
/// digits from punctuation.
inline ChatOutcome answer_by_rule(const ChatRequest & request) {
    const std::string & prompt = request.messages.back().content;
    const auto yes = [](double p) {
        return answered("Yes", {{"Yes", std::log(p)}, {"No", std::log(1 - p)}});
    };
    if (prompt.find("How abstract") != std::string::npos || prompt.find("How much") != std::string::npos) {
        return answered("1", {{"1", std::log(0.9)}, {"2", std::log(0.1)}});
    }
    if (prompt.starts_with("Description:")) {
        std::string text = behind(prompt, "Text");
        text = text.substr(0, text.find("\n\nD"));
        text = prompt.find("marked with") != std::string::npos ? marked_parts(behind(text, ">>:")) : text;
        const bool about_digits = prompt.starts_with("Description: digits");
        return yes((about_digits ? count_digits(text) : count_marks(text)) > 0 ? 0.9 : 0.2);
    }
    const std::string parts = marked_parts(behind(prompt, "Excerpt 1:"));
    return answered(2 * count_digits(parts) > parts.size()  ? "digits"
                    : 2 * count_marks(parts) > parts.size() ? "punctuation that ends a loud sentence"
                                                            : "letters");
}

} // namespace valuelens::test
