#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/random.h"
#include "contrast/activation_source.h"

namespace valuelens {

/// Activations held in memory: rows[i] is [n_layer * n_embd].
class MemorySource : public ActivationSource {
public:
    MemorySource(std::size_t layers, std::size_t width) : n_layer_(layers), n_embd_(width) {}

    std::size_t n_rows() const override { return rows.size(); }
    std::size_t n_layer() const override { return n_layer_; }
    std::size_t n_embd() const override { return n_embd_; }
    Provenance provenance() const override {
        return {"toy", std::string(64, 'a'), "resid_post", "0-based block output", "test"};
    }
    std::string id(std::size_t row) const override { return ids.empty() ? fmt::format("r{}", row) : ids[row]; }
    void read(std::size_t row, std::size_t layer, std::span<float> out) const override {
        std::copy_n(rows[row].data() + layer * n_embd_, n_embd_, out.data());
    }

    std::vector<std::vector<float>> rows;
    std::vector<std::string> ids; ///< empty: r0, r1, ...

private:
    std::size_t n_layer_;
    std::size_t n_embd_;
};

/// Activations with labels.
struct Scene {
    MemorySource source;
    std::vector<LabelledResponse> responses;
    std::vector<std::string> values;
};

/// For each query an intrinsic response labelled for all values and one prompted response per value. Activations are
/// standard normal; where a response expresses value s, `strength` is added along axis s at every layer. Labels are
/// coin flips.
inline Scene make_scene(std::size_t n_query, std::size_t n_values, double strength, std::uint64_t seed = 1,
                        std::size_t n_layer = 3, std::size_t n_embd = 16) {
    Scene scene{MemorySource(n_layer, n_embd), {}, {}};
    Rng rng(seed);
    for (std::size_t s = 0; s < n_values; ++s) {
        scene.values.push_back(fmt::format("value{}", s));
    }
    const auto add = [&](const std::string & query, Condition condition, std::size_t first, std::size_t last) {
        LabelledResponse response{scene.source.rows.size(), query, condition, {}};
        std::vector<float> row(n_layer * n_embd);
        for (float & element : row) {
            element = static_cast<float>(rng.normal());
        }
        for (std::size_t s = first; s < last; ++s) {
            const bool expresses = rng.below(2) == 1;
            response.labels.emplace_back(s, expresses);
            for (std::size_t layer = 0; layer < n_layer; ++layer) {
                row[layer * n_embd + s] += static_cast<float>(expresses ? strength : 0);
            }
        }
        scene.source.ids.push_back(fmt::format("id{}", response.row));
        scene.source.rows.push_back(row);
        scene.responses.push_back(response);
    };
    for (std::size_t q = 0; q < n_query; ++q) {
        const std::string query = fmt::format("query{}", q);
        add(query, Condition::intrinsic, 0, n_values);
        for (std::size_t s = 0; s < n_values; ++s) {
            add(query, Condition::prompted, s, s + 1);
        }
    }
    return scene;
}

} // namespace valuelens
