#include "explain/prompts.h"

#include <algorithm>
#include <cmath>

#include "base/fail.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "concepts/shipped.h"
#include "concepts/text_slots.h"
#include "concepts/toml_table.h"

namespace valuelens {

namespace {

constexpr std::size_t listed_tokens = 16; // of an excerpt, the most active

/// The active tokens in the order of the text, with their strengths.
std::string reaction_list(const ReadableExcerpt & excerpt, std::span<const int> strengths) {
    std::vector<std::size_t> order;
    for (std::size_t t = 0; t < strengths.size(); ++t) {
        if (strengths[t] > 0) {
            order.push_back(t);
        }
    }
    if (order.size() > listed_tokens) {
        std::stable_sort(order.begin(), order.end(),
                         [&](std::size_t a, std::size_t b) { return strengths[a] > strengths[b]; });
        order.resize(listed_tokens);
        std::sort(order.begin(), order.end());
    }
    std::string list;
    for (const std::size_t t : order) {
        list += fmt::format("{}\"{}\" {}", list.empty() ? "" : ", ", on_one_line(excerpt.pieces[t]), strengths[t]);
    }
    return list;
}

} // namespace

float towards(Pole pole, float activation) {
    return pole == Pole::positive ? activation : -activation;
}

std::string on_one_line(const std::string & bytes) {
    std::string text;
    for (const char c : to_valid_utf8(bytes)) {
        if (c == '\n') {
            text += "\\n";
        } else if (c != '\r') {
            text += c;
        }
    }
    return text;
}

const ExplainPrompts & explain_prompts() {
    static const ExplainPrompts prompts = [] {
        const ShippedText shipped = shipped_text("explain_prompts.toml");
        const toml::table parsed = parse_toml(shipped.text, shipped.name);
        const TomlTable table(parsed, shipped.name, 1, "prompts");
        table.allow_only({"name", "explain", "detection", "fuzzing", "abstractness", "value_relevance", "simulation"});
        return ExplainPrompts{table.text("name"),       table.text("explain"),      table.text("detection"),
                              table.text("fuzzing"),    table.text("abstractness"), table.text("value_relevance"),
                              table.text("simulation"), sha256_hex(shipped.text)};
    }();
    return prompts;
}

std::vector<int> quantise(std::span<const float> activations, Pole pole, float max) {
    std::vector<int> strengths;
    strengths.reserve(activations.size());
    for (const float activation : activations) {
        const double share = 10.0 * static_cast<double>(towards(pole, activation)) / static_cast<double>(max);
        strengths.push_back(share > 0 ? static_cast<int>(std::min(10.0, std::floor(share))) : 0);
    }
    return strengths;
}

std::vector<std::uint8_t> strong_tokens(const ReadableExcerpt & excerpt, Pole pole) {
    std::vector<std::uint8_t> marks;
    for (const float activation : excerpt.activations) {
        marks.push_back(excerpt.peak > 0 && towards(pole, activation) >= excerpt.peak / 2 ? 1 : 0);
    }
    return marks;
}

std::string plain_text(const ReadableExcerpt & excerpt) {
    std::string bytes;
    for (const std::string & piece : excerpt.pieces) {
        bytes += piece;
    }
    return on_one_line(bytes);
}

std::string marked_text(const ReadableExcerpt & excerpt, std::span<const std::uint8_t> marks) {
    std::string bytes;
    for (std::size_t t = 0; t < excerpt.pieces.size(); ++t) {
        const bool marked = marks[t] != 0;
        if (marked && (t == 0 || marks[t - 1] == 0)) {
            bytes += "<<";
        }
        bytes += excerpt.pieces[t];
        if (marked && (t + 1 == marks.size() || marks[t + 1] == 0)) {
            bytes += ">>";
        }
    }
    return on_one_line(bytes);
}

std::string explain_question(const ExplainPrompts & prompts, std::span<const ReadableExcerpt> examples, Pole pole,
                             float max) {
    std::string text;
    for (std::size_t i = 0; i < examples.size(); ++i) {
        const ReadableExcerpt & excerpt = examples[i];
        text +=
            fmt::format("Excerpt {}: {}\nReaction: {}\n\n", i + 1, marked_text(excerpt, strong_tokens(excerpt, pole)),
                        reaction_list(excerpt, quantise(excerpt.activations, pole, max)));
    }
    return fill_slots(prompts.explain, {{"examples", text}});
}

std::string fill_question(const std::string & prompt, const std::string & explanation, const std::string & text) {
    return fill_slots(prompt, {{"explanation", explanation}, {"text", text}});
}

} // namespace valuelens
