#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "contrast/activation_source.h"
#include "math/row_matrix.h"

namespace valuelens {

/// What of a stage's options decides a QueryPlan; VectorOptions says what each means.
struct QueryPlanOptions {
    double held_out = 0;
    std::size_t bootstraps = 0;
    std::size_t split_halves = 0;
    std::size_t resample_groups = 512;
    std::uint64_t seed = 0;
};

/// Which queries are held out, and how queries are resampled and halved: one plan for all values, conditions and
/// layers. It depends on the names of the queries and the seed, not on the order of the responses; the resamples depend
/// neither on held_out nor on split_halves, so that two stages with one seed resample alike.
struct QueryPlan {
    static constexpr std::int32_t fitted = -1;

    std::size_t n_query = 0;
    std::vector<std::uint32_t> query_of;   ///< [response] its query
    std::vector<std::int32_t> held_out_of; ///< [query] its place among the held-out queries, or `fitted`
    std::vector<std::uint32_t> group_of;   ///< [query] its group for resampling; each query its own where they are few

    /// [bootstraps + 2 split_halves, n_group] how often each group counts: resamples first, then pairs of halves.
    RowMatrix group_weights;
    std::size_t n_bootstrap = 0;
    std::size_t n_split = 0;

    /// [bootstraps] of [n_held_out]: resamples of the held-out queries.
    std::vector<std::vector<std::uint32_t>> held_out_weights;

    QueryPlan(std::span<const LabelledResponse> responses, const ActivationSource & source,
              const QueryPlanOptions & options);
};

} // namespace valuelens
