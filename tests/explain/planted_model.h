#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <string>

#include "support/tiny_language_model.h"
#include "valuelens/model.h"

namespace valuelens::test {

/// Neurons of block 0 that fire on some bytes and on nothing else.
inline constexpr int digit_neuron = 7;
inline constexpr int mark_neuron = 30;

/// A tiny model with these two neurons planted: what the bytes have in common stands in a dimension of its own of their
/// embeddings, and block 0 passes embeddings on to its MLP untouched.
inline std::string write_planted_model(const std::filesystem::path & path) {
    TinyLanguageModel weights = TinyLanguageModel::dense(2);
    constexpr std::size_t width = TinyLanguageModel::n_embd;
    for (const char * name : {"blk.0.attn_output.weight", "blk.0.attn_output.bias"}) {
        for (float & value : weights.tensor(name).values) {
            value = 0;
        }
    }
    std::vector<float> & embeddings = weights.tensor("token_embd.weight").values;
    for (std::size_t token = 0; token < TinyLanguageModel::n_vocab; ++token) {
        const int byte = static_cast<int>(token) - 3;
        embeddings[token * width] = byte >= '0' && byte <= '9' ? 4.0f : 0.0f;
        embeddings[token * width + 1] = byte == '!' || byte == '?' ? 4.0f : 0.0f;
    }
    for (const auto & [neuron, dimension] : {std::pair{digit_neuron, 0}, std::pair{mark_neuron, 1}}) {
        for (const char * name : {"blk.0.ffn_gate.weight", "blk.0.ffn_up.weight"}) {
            std::vector<float> & matrix = weights.tensor(name).values;
            for (std::size_t i = 0; i < width; ++i) {
                matrix[static_cast<std::size_t>(neuron) * width + i] = 0;
            }
            matrix[static_cast<std::size_t>(neuron) * width + static_cast<std::size_t>(dimension)] = 2;
        }
    }
    return weights.write(path);
}

} // namespace valuelens::test
