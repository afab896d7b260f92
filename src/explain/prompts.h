#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "valuelens/explain.h"

namespace valuelens {

/// What a chat model is asked (data/explain_prompts.toml); {examples}, {explanation} and {text} are slots.
struct ExplainPrompts {
    std::string name;
    std::string explain;
    std::string detection;
    std::string fuzzing;
    std::string abstractness;
    std::string value_relevance;
    std::string simulation;
    std::string sha256; ///< of the whole file
};

/// The shipped prompts.
const ExplainPrompts & explain_prompts();

/// An excerpt whose tokens are text: what prompts are made from.
struct ReadableExcerpt {
    std::vector<std::string> pieces; ///< bytes of each token; a character may be spread over several
    std::vector<float> activations;
    float peak = 0;             ///< in the pole's direction
    std::size_t first_seen = 0; ///< activations of tokens before this one were not read and stand as 0
};

/// An activation as the pole sees it: above 0 in its direction.
float towards(Pole pole, float activation);

/// Activations on the scale 0-10: min(10, floor(10 a / max)), 0 against the pole's direction. `max` > 0.
std::vector<int> quantise(std::span<const float> activations, Pole pole, float max);

/// A token's bytes, or those of several, on one line: line breaks as \\n, malformed bytes replaced.
std::string on_one_line(const std::string & bytes);

/// Tokens at least half as active as the most active of the excerpt: what is marked. None where nothing is active.
std::vector<std::uint8_t> strong_tokens(const ReadableExcerpt & excerpt, Pole pole);

/// The text on one line: line breaks as \n, malformed bytes replaced.
std::string plain_text(const ReadableExcerpt & excerpt);

/// The same with << and >> around each run of marked tokens.
std::string marked_text(const ReadableExcerpt & excerpt, std::span<const std::uint8_t> marks);

/// The question to the explainer. `max`: the neuron's largest activation in the pole's direction.
std::string explain_question(const ExplainPrompts & prompts, std::span<const ReadableExcerpt> examples, Pole pole,
                             float max);

/// A prompt with {explanation} and {text} filled in.
std::string fill_question(const std::string & prompt, const std::string & explanation, const std::string & text);

} // namespace valuelens
