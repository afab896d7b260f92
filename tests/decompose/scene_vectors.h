#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "contrast/cell.h"
#include "contrast/memory_source.h"
#include "decompose/decompose.h"

namespace valuelens {

/// Value vectors of a scene, without statistics.
inline ValueVectorSet scene_vectors(const Scene & scene) {
    ValueVectorSet set;
    set.provenance = scene.source.provenance();
    set.n_layer = scene.source.n_layer();
    set.n_embd = scene.source.n_embd();
    set.values = scene.values;
    set.resid_norm.assign(set.n_layer, 2.5f);
    const QueryPlan plan(scene.responses, scene.source, {});
    const std::vector<Cell> cells = make_cells(scene.responses, scene.values.size(), plan);
    for (std::size_t i = 0; i < cells.size(); ++i) {
        ValueVector & entry = set.vectors.emplace_back();
        entry.value = scene.values[i / 2];
        entry.condition = static_cast<Condition>(i % 2);
        entry.n_not_expressing = cells[i].count[0];
        entry.n_expressing = cells[i].count[1];
        for (std::size_t layer = 0; layer < set.n_layer; ++layer) {
            const Eigen::VectorXd vector =
                difference_of_means(sum_classes(scene.source, layer, cells[i], {0, set.n_embd}, {}), cells[i]);
            entry.vector.insert(entry.vector.end(), vector.begin(), vector.end());
        }
    }
    return set;
}

/// Value vectors given by hand: vectors[2 * value + condition] is [n_layer * n_embd].
inline ValueVectorSet hand_vectors(std::size_t n_layer, const std::vector<std::vector<float>> & vectors) {
    ValueVectorSet set;
    set.provenance = {"toy", std::string(64, 'a'), "resid_post", "0-based block output", "test"};
    set.n_layer = n_layer;
    set.n_embd = vectors.front().size() / n_layer;
    for (std::size_t i = 0; i < vectors.size(); ++i) {
        if (i % 2 == 0) {
            set.values.push_back(fmt::format("value{}", i / 2));
        }
        ValueVector & entry = set.vectors.emplace_back();
        entry.value = set.values.back();
        entry.condition = static_cast<Condition>(i % 2);
        entry.vector = vectors[i];
    }
    return set;
}

/// Few draws where a test does not look at chance.
inline DecomposeOptions quick_options() {
    DecomposeOptions options;
    options.bootstraps = 40;
    options.permutations = 19;
    options.null_draws = 10;
    return options;
}

inline AxisSet decompose(const ValueVectorSet & vectors, const DecomposeOptions & options = quick_options()) {
    return decompose_vectors(vectors, ConceptSet{}, options, nullptr);
}

inline AxisSet decompose(const Scene & scene, const ValueVectorSet & vectors,
                         const DecomposeOptions & options = quick_options()) {
    const ResponseSource source{scene.source, scene.responses, "scene"};
    return decompose_vectors(vectors, ConceptSet{}, options, &source);
}

/// A tensor's row of a layer.
inline std::span<const float> row_of(const AxisSet & set, const std::vector<float> & tensor, std::size_t layer) {
    return std::span(tensor).subspan(layer * set.n_embd, set.n_embd);
}

inline bool all_nan(std::span<const float> row) {
    return std::all_of(row.begin(), row.end(), [](float x) { return std::isnan(x); });
}

} // namespace valuelens
