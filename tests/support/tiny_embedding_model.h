#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/random.h"
#include "support/gguf_writer.h"

namespace valuelens::test {

/// An encoder (architecture bert) that llama.cpp loads, of random embeddings. Its one block has no MLP, and attention
/// that looks everywhere alike: to each token's state comes half the mean of the text's. What a text's vector must be
/// can thus be worked out here, and is another where attention is causal or reaches into a neighbour. Its vocabulary is
/// four words.
class TinyEmbeddingModel {
public:
    static constexpr std::size_t n_embd = 8;
    static constexpr std::size_t n_vocab = 9;
    static constexpr std::uint32_t none = 0;
    static constexpr std::uint32_t mean = 1; ///< llama.cpp's numbers of ways to pool
    static constexpr std::uint32_t cls = 2;
    static constexpr std::uint32_t last = 3;
    static constexpr std::uint32_t rank = 4;
    static constexpr std::int32_t first_word = 5; ///< the token "sea"; then "sky", "is", "blue"
    static constexpr std::int32_t cls_token = 2;
    static constexpr std::int32_t sep_token = 3;

    explicit TinyEmbeddingModel(std::uint32_t pooling, std::size_t context = 12)
        : pooling_(pooling), n_context_(context) {
        Rng rng(7);
        for (std::size_t i = 0; i < n_vocab * n_embd; ++i) {
            words_.push_back(static_cast<float>(rng.normal()));
        }
        for (std::size_t i = 0; i < n_context_ * n_embd; ++i) {
            positions_.push_back(static_cast<float>(rng.normal()));
        }
    }

    /// The final states of tokens that are read together, [token][n_embd].
    std::vector<std::vector<double>> states(const std::vector<std::int32_t> & tokens) const {
        std::vector<std::vector<double>> states;
        std::vector<double> average(n_embd);
        for (std::size_t position = 0; position < tokens.size(); ++position) {
            const std::size_t word = static_cast<std::size_t>(tokens[position]) * n_embd;
            std::vector<double> state;
            for (std::size_t i = 0; i < n_embd; ++i) {
                state.push_back(static_cast<double>(words_[word + i]) +
                                static_cast<double>(positions_[position * n_embd + i]));
            }
            states.push_back(normal(state));
            for (std::size_t i = 0; i < n_embd; ++i) {
                average[i] += states.back()[i] / static_cast<double>(tokens.size());
            }
        }
        for (std::vector<double> & state : states) {
            for (std::size_t i = 0; i < n_embd; ++i) {
                state[i] += attention * average[i];
            }
            state = normal(state);
        }
        return states;
    }

    std::string write(const std::filesystem::path & path) const {
        const std::vector<float> ones(n_embd, 1);
        const std::vector<float> nothing(n_embd, 0);
        const std::vector<float> no_matrix(n_embd * n_embd, 0);
        std::vector<float> one_matrix = no_matrix;
        std::vector<float> attention_matrix = no_matrix;
        for (std::size_t i = 0; i < n_embd; ++i) {
            one_matrix[i * (n_embd + 1)] = 1;
            attention_matrix[i * (n_embd + 1)] = static_cast<float>(attention);
        }
        GgufWriter gguf("bert");
        gguf.text("general.name", "tiny bert");
        gguf.number("bert.block_count", 1);
        gguf.number("bert.context_length", static_cast<std::uint32_t>(n_context_));
        gguf.number("bert.embedding_length", n_embd);
        gguf.number("bert.feed_forward_length", n_embd);
        gguf.number("bert.attention.head_count", 2);
        gguf.real("bert.attention.layer_norm_epsilon", 1e-12f);
        gguf.flag("bert.attention.causal", false);
        gguf.number("bert.pooling_type", pooling_);
        gguf.number("tokenizer.ggml.token_type_count", 1);
        gguf.text("tokenizer.ggml.model", "bert");
        std::vector<std::string> tokens = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
        std::vector<std::int32_t> types(tokens.size(), 3);
        for (const char * word : {"sea", "sky", "is", "blue"}) {
            tokens.push_back(std::string("\xe2\x96\x81") + word);
            types.push_back(1);
        }
        gguf.texts("tokenizer.ggml.tokens", tokens);
        gguf.numbers("tokenizer.ggml.token_type", types);
        gguf.number("tokenizer.ggml.padding_token_id", 0);
        gguf.number("tokenizer.ggml.unknown_token_id", 1);
        gguf.number("tokenizer.ggml.bos_token_id", cls_token);
        gguf.number("tokenizer.ggml.cls_token_id", cls_token);
        gguf.number("tokenizer.ggml.seperator_token_id", sep_token); // the key's own spelling
        gguf.number("tokenizer.ggml.mask_token_id", 4);
        gguf.tensor("token_embd.weight", {n_embd, n_vocab}, words_);
        gguf.tensor("position_embd.weight", {n_embd, n_context_}, positions_);
        for (const char * norm : {"token_embd_norm", "blk.0.attn_output_norm", "blk.0.layer_output_norm"}) {
            gguf.tensor(std::string(norm) + ".weight", {n_embd}, ones);
            gguf.tensor(std::string(norm) + ".bias", {n_embd}, nothing);
        }
        for (const char * matrix : {"attn_q", "attn_k", "ffn_up", "ffn_down"}) {
            gguf.tensor(std::string("blk.0.") + matrix + ".weight", {n_embd, n_embd}, no_matrix);
        }
        gguf.tensor("blk.0.attn_v.weight", {n_embd, n_embd}, one_matrix);
        gguf.tensor("blk.0.attn_output.weight", {n_embd, n_embd}, attention_matrix);
        return gguf.write(path);
    }

private:
    static constexpr double attention = 0.5;

    /// Brought to mean 0 and variance 1.
    static std::vector<double> normal(std::vector<double> state) {
        double sum = 0;
        double squares = 0;
        for (const double each : state) {
            sum += each;
            squares += each * each;
        }
        const double centre = sum / n_embd;
        const double width = std::sqrt(squares / n_embd - centre * centre);
        for (double & each : state) {
            each = (each - centre) / width;
        }
        return state;
    }

    std::uint32_t pooling_;
    std::size_t n_context_;
    std::vector<float> words_;     ///< [token][n_embd]
    std::vector<float> positions_; ///< [position][n_embd]
};

} // namespace valuelens::test
