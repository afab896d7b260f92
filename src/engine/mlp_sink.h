#pragma once

#include <ggml.h>

#include <cstdint>
#include <vector>

#include "engine/graph_names.h"

namespace valuelens {

/// Post-activations of one block and one batch, in host memory while the sink looks at them.
struct MlpRows {
    const float * values = nullptr; ///< row r begins at values[r * stride]
    std::size_t stride = 0;
    std::size_t width = 0;             ///< neurons
    std::size_t n_row = 0;             ///< batch rows; of experts there are n_used rows for each
    std::size_t n_used = 1;            ///< experts: row r * n_used + k is of expert experts[r * n_used + k]
    std::vector<std::int32_t> experts; ///< empty where the kind is not MlpKind::experts
};

/// Takes the post-activations of whole batches while they are computed, beside what rows ask for.
class MlpSink {
public:
    virtual ~MlpSink() = default;
    /// Whether the post-activations of that kind in that block are wanted.
    virtual bool wants(MlpPlace place) const = 0;
    virtual void take(MlpPlace place, const MlpRows & rows) = 0;
};

/// Reads a node of post-activations through ggml-backend, copying only what does not lie in host memory. `ids`: the
/// experts that each row was routed to, null for other kinds; `staging` outlives the result. False where the node is
/// not plain F32 rows.
bool read_mlp_rows(const ggml_tensor * node, const ggml_tensor * ids, std::vector<float> & staging, MlpRows & rows);

} // namespace valuelens
