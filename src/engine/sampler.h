#pragma once

#include <llama.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "valuelens/request.h"

namespace valuelens {

/// Draws tokens for one request from its own random stream.
class Sampler {
public:
    explicit Sampler(const Sampling & sampling);

    /// The next token. `logits` [n_vocab]. Throws Error(model) where none of them is a number.
    Token next(std::span<const float> logits);

private:
    struct ChainDeleter {
        void operator()(llama_sampler * chain) const { llama_sampler_free(chain); }
    };
    std::unique_ptr<llama_sampler, ChainDeleter> chain_; ///< null: greedy
    std::vector<llama_token_data> candidates_;
};

/// The index of the largest entry, the lowest of several. Throws Error(model) where none is a number.
Token argmax(std::span<const float> logits);

/// Σ exp(x - shift), relative error about 1e-6.
double sum_of_exponentials(std::span<const float> values, float shift);

/// Σ exp(x - shift) (x - shift), relative error about 1e-6.
double sum_of_weighted_exponentials(std::span<const float> values, float shift);

/// Entropy in nats of softmax(x). Throws as argmax().
double entropy(std::span<const float> logits);

/// log Σ exp(x). Throws as argmax().
double log_sum_exp(std::span<const float> logits);

} // namespace valuelens
