#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "base/random.h"
#include "support/gguf_writer.h"
#include "support/temp_folder.h"
#include "support/tiny_language_model.h"
#include "valuelens/intervention.h"
#include "valuelens/model.h"
#include "valuelens/neurons.h"

namespace valuelens::test {

inline std::vector<float> random_values(std::size_t n, std::uint64_t seed) {
    Rng rng(seed);
    std::vector<float> values(n);
    for (float & x : values) {
        x = static_cast<float>(rng.normal());
    }
    return values;
}

/// Down projections of random weights in F32, remembered as [layer][neuron] = (id, w_out).
struct TinyModel {
    struct Neuron {
        NeuronId id;
        std::vector<double> w_out;
    };
    std::string path;
    std::size_t n_layer = 0;
    std::size_t n_embd = 0;
    std::vector<std::vector<Neuron>> neurons;

    /// `weights` [n_expert, n_embd, n_ff] as they lie in the file.
    void remember(int layer, int expert, std::size_t n_ff, const std::vector<float> & weights) {
        for (std::size_t begin = 0; begin < weights.size(); begin += n_embd * n_ff, ++expert) {
            for (std::size_t i = 0; i < n_ff; ++i) {
                Neuron neuron{{layer, expert, static_cast<int>(i)}, {}};
                for (std::size_t d = 0; d < n_embd; ++d) {
                    neuron.w_out.push_back(static_cast<double>(weights[begin + d * n_ff + i]));
                }
                neurons[static_cast<std::size_t>(layer)].push_back(neuron);
            }
        }
    }
};

/// A dense model of uneven sizes: wider than a piece of work, and not a multiple of any vector.
inline TinyModel write_dense(const std::filesystem::path & path, std::uint64_t seed = 1, std::size_t n_ff = 1101,
                             std::size_t n_embd = 139, std::size_t n_layer = 3) {
    TinyModel model{path.string(), n_layer, n_embd, {}};
    model.neurons.resize(n_layer);
    GgufWriter gguf("llama");
    gguf.text("general.name", "tiny");
    gguf.number("llama.block_count", static_cast<std::uint32_t>(n_layer));
    gguf.number("llama.embedding_length", static_cast<std::uint32_t>(n_embd));
    gguf.number("llama.feed_forward_length", static_cast<std::uint32_t>(n_ff));
    for (std::size_t layer = 0; layer < n_layer; ++layer) {
        const std::vector<float> weights = random_values(n_embd * n_ff, derive_seed(seed, std::to_string(layer)));
        gguf.tensor(fmt::format("blk.{}.ffn_down.weight", layer), {n_ff, n_embd}, weights);
        model.remember(static_cast<int>(layer), -1, n_ff, weights);
    }
    gguf.write(path);
    return model;
}

/// A mixture of five experts with a shared one in each block, after a dense block.
inline TinyModel write_mixture(const std::filesystem::path & path) {
    constexpr std::size_t n_embd = 40;
    TinyModel model{path.string(), 3, n_embd, {}};
    model.neurons.resize(3);
    GgufWriter gguf("qwen2moe");
    gguf.number("qwen2moe.block_count", 3);
    gguf.number("qwen2moe.embedding_length", n_embd);
    gguf.number("qwen2moe.expert_count", 5);
    const std::vector<float> dense = random_values(n_embd * 100, 1);
    gguf.tensor("blk.0.ffn_down.weight", {100, n_embd}, dense);
    model.remember(0, -1, 100, dense);
    for (int layer = 1; layer < 3; ++layer) {
        const std::vector<float> shared = random_values(n_embd * 30, static_cast<std::uint64_t>(10 + layer));
        const std::vector<float> experts = random_values(5 * n_embd * 24, static_cast<std::uint64_t>(20 + layer));
        gguf.tensor(fmt::format("blk.{}.ffn_down_exps.weight", layer), {24, n_embd, 5}, experts);
        gguf.tensor(fmt::format("blk.{}.ffn_down_shexp.weight", layer), {30, n_embd}, shared);
        model.remember(layer, -2, 30, shared);
        model.remember(layer, 0, 24, experts);
    }
    gguf.write(path);
    return model;
}

/// A mixture of experts that llama.cpp can run (tests/engine/mixture_test.cpp does).
inline TinyModel write_language_mixture(const std::filesystem::path & path) {
    const TinyLanguageModel weights = TinyLanguageModel::mixture();
    TinyModel model{weights.write(path), weights.n_layer(), TinyLanguageModel::n_embd, {}};
    model.neurons.resize(model.n_layer);
    for (std::size_t layer = 0; layer < model.n_layer; ++layer) {
        const std::string block = fmt::format("blk.{}.", layer);
        model.remember(static_cast<int>(layer), shared_expert, TinyLanguageModel::n_ff_shared,
                       weights.tensor(block + "ffn_down_shexp.weight").values);
        model.remember(static_cast<int>(layer), 0, TinyLanguageModel::n_ff_expert,
                       weights.tensor(block + "ffn_down_exps.weight").values);
    }
    return model;
}

/// A dense model as Gemma 2 and 3 are in one respect and quantised in Q8_0: a norm with gains follows the MLP, so that
/// row d of the down projection counts gain[d] times.
inline TinyModel write_quantised_with_norm(const std::filesystem::path & path) {
    constexpr std::size_t n_embd = 24;
    constexpr std::size_t n_ff = 96;
    constexpr std::size_t block = 32; // of Q8_0: a scale in half precision, then as many signed bytes
    TinyModel model{path.string(), 2, n_embd, {}};
    model.neurons.resize(2);
    GgufWriter gguf("gemma3");
    gguf.number("gemma3.block_count", 2);
    gguf.number("gemma3.embedding_length", n_embd);
    gguf.number("gemma3.feed_forward_length", n_ff);
    Rng rng(11);
    for (int layer = 0; layer < 2; ++layer) {
        std::vector<float> gains;
        for (std::size_t d = 0; d < n_embd; ++d) {
            gains.push_back(static_cast<float>(std::exp(0.5 * rng.normal())));
        }
        std::string bytes;
        std::vector<float> weights;
        for (std::size_t i = 0; i < n_embd * n_ff / block; ++i) {
            // 2^-9, 2^-8 or 2^-7, which half precision writes as (exponent + 15) << 10.
            const int exponent = -9 + static_cast<int>(i % 3);
            const auto half = static_cast<std::uint16_t>((exponent + 15) << 10);
            bytes.append(reinterpret_cast<const char *>(&half), sizeof(half));
            for (std::size_t k = 0; k < block; ++k) {
                const int q = static_cast<int>(std::lround(40 * rng.normal())) % 128;
                bytes.push_back(static_cast<char>(q));
                weights.push_back(std::ldexp(static_cast<float>(q), exponent) * gains[(i * block + k) / n_ff]);
            }
        }
        constexpr std::uint32_t q8_0 = 8;
        gguf.tensor(fmt::format("blk.{}.ffn_down.weight", layer), {n_ff, n_embd}, q8_0, bytes);
        gguf.tensor(fmt::format("blk.{}.post_ffw_norm.weight", layer), {n_embd}, gains);
        model.remember(layer, -1, n_ff, weights);
    }
    gguf.write(path);
    return model;
}

/// Random orthonormal axes for each value; those of `undefined` ((value, layer)) are NaN.
inline AxisSet random_axes(const TinyModel & model, const std::vector<std::string> & values,
                           const std::vector<std::pair<std::size_t, std::size_t>> & undefined = {}) {
    AxisSet set;
    set.provenance.model_name = "tiny";
    set.provenance.model_hash = model_identity(model.path);
    set.n_layer = model.n_layer;
    set.n_embd = model.n_embd;
    set.values = values;
    for (std::size_t v = 0; v < values.size(); ++v) {
        ValueAxes entry;
        entry.value = values[v];
        for (std::size_t layer = 0; layer < model.n_layer; ++layer) {
            std::vector<float> a = random_values(model.n_embd, derive_seed(v, fmt::format("a {}", layer)));
            std::vector<float> b = random_values(model.n_embd, derive_seed(v, fmt::format("b {}", layer)));
            const auto dot = [](const auto & x, const auto & y) {
                double sum = 0;
                for (std::size_t i = 0; i < x.size(); ++i) {
                    sum += static_cast<double>(x[i]) * static_cast<double>(y[i]);
                }
                return sum;
            };
            const double along = dot(a, b) / dot(a, a);
            for (std::size_t i = 0; i < a.size(); ++i) {
                b[i] -= static_cast<float>(along * static_cast<double>(a[i]));
            }
            const bool defined = std::find(undefined.begin(), undefined.end(), std::pair(v, layer)) == undefined.end();
            const double norm_a = defined ? std::sqrt(dot(a, a)) : std::numeric_limits<double>::quiet_NaN();
            const double norm_b = defined ? std::sqrt(dot(b, b)) : std::numeric_limits<double>::quiet_NaN();
            for (std::size_t i = 0; i < a.size(); ++i) {
                entry.shared.push_back(static_cast<float>(static_cast<double>(a[i]) / norm_a));
                entry.intrinsic.push_back(static_cast<float>(static_cast<double>(b[i]) / norm_b));
                entry.prompted.push_back(-entry.intrinsic.back());
            }
        }
        entry.layers.resize(model.n_layer);
        set.axes.push_back(std::move(entry));
    }
    return set;
}

} // namespace valuelens::test
