#include "engine/sampler.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/fail.h"

namespace valuelens {

Sampler::Sampler(const Sampling & sampling) {
    if (sampling.temperature <= 0) {
        return;
    }
    llama_sampler_chain_params parameters = llama_sampler_chain_default_params();
    parameters.no_perf = true;
    chain_.reset(llama_sampler_chain_init(parameters));
    if (sampling.top_k > 0) {
        llama_sampler_chain_add(chain_.get(), llama_sampler_init_top_k(sampling.top_k));
    }
    if (sampling.top_p < 1) {
        llama_sampler_chain_add(chain_.get(), llama_sampler_init_top_p(sampling.top_p, 1));
    }
    if (sampling.min_p > 0) {
        llama_sampler_chain_add(chain_.get(), llama_sampler_init_min_p(sampling.min_p, 1));
    }
    llama_sampler_chain_add(chain_.get(), llama_sampler_init_temp(sampling.temperature));
    // llama.cpp's seed has 32 bits, of which one value means "random".
    auto seed = static_cast<std::uint32_t>(sampling.seed ^ (sampling.seed >> 32));
    seed = seed == LLAMA_DEFAULT_SEED ? 0 : seed;
    llama_sampler_chain_add(chain_.get(), llama_sampler_init_dist(seed));
}

Token Sampler::next(std::span<const float> logits) {
    if (!chain_) {
        return argmax(logits);
    }
    argmax(logits); // refuses what is not a number, which the chain would draw from all the same
    candidates_.resize(logits.size());
    for (std::size_t i = 0; i < logits.size(); ++i) {
        candidates_[i] = {static_cast<llama_token>(i), logits[i], 0};
    }
    llama_token_data_array array{candidates_.data(), candidates_.size(), -1, false};
    llama_sampler_apply(chain_.get(), &array);
    if (array.selected < 0) {
        fail(ErrorKind::model, "the sampler chose no token: the model's logits are not numbers");
    }
    return array.data[array.selected].id;
}

Token argmax(std::span<const float> logits) {
    // Lanes of independent maxima, so that the compiler can use vector instructions.
    constexpr std::size_t lanes = 16;
    std::array<float, lanes> best;
    best.fill(-std::numeric_limits<float>::infinity());
    const std::size_t whole = logits.size() / lanes * lanes;
    for (std::size_t i = 0; i < whole; i += lanes) {
        for (std::size_t lane = 0; lane < lanes; ++lane) {
            best[lane] = logits[i + lane] > best[lane] ? logits[i + lane] : best[lane];
        }
    }
    float top = *std::max_element(best.begin(), best.end());
    for (std::size_t i = whole; i < logits.size(); ++i) {
        top = logits[i] > top ? logits[i] : top;
    }
    const auto found = std::find(logits.begin(), logits.end(), top);
    if (!std::isfinite(top) || found == logits.end()) {
        fail(ErrorKind::model,
             "the model's logits are not finite numbers; a damaged file, or a steering strength far too large");
    }
    return static_cast<Token>(found - logits.begin());
}

double log_sum_exp(std::span<const float> logits) {
    const float top = logits[static_cast<std::size_t>(argmax(logits))];
    return static_cast<double>(top) + std::log(sum_of_exponentials(logits, top));
}

double entropy(std::span<const float> logits) {
    // log sum exp(x) - sum p x, with x counted from the greatest logit.
    const float top = logits[static_cast<std::size_t>(argmax(logits))];
    const double sum = sum_of_exponentials(logits, top);
    return std::max(0.0, std::log(sum) - sum_of_weighted_exponentials(logits, top) / sum);
}

} // namespace valuelens
