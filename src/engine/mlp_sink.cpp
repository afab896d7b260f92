#include "engine/mlp_sink.h"

#include <ggml-backend.h>

#include <cstring>

namespace valuelens {

namespace {

/// Int32 rows of a tensor, which may be a view with gaps between them.
std::vector<std::int32_t> read_ids(const ggml_tensor * ids) {
    const auto width = static_cast<std::size_t>(ids->ne[0]);
    std::vector<std::int32_t> values(width * static_cast<std::size_t>(ids->ne[1]));
    for (std::size_t row = 0; row < static_cast<std::size_t>(ids->ne[1]); ++row) {
        ggml_backend_tensor_get(ids, values.data() + row * width, row * ids->nb[1], width * sizeof(std::int32_t));
    }
    return values;
}

} // namespace

bool read_mlp_rows(const ggml_tensor * node, const ggml_tensor * ids, std::vector<float> & staging, MlpRows & rows) {
    if (node->type != GGML_TYPE_F32 || node->nb[0] != sizeof(float) || node->nb[1] % sizeof(float) != 0) {
        return false;
    }
    rows.width = static_cast<std::size_t>(node->ne[0]);
    rows.stride = node->nb[1] / sizeof(float);
    if (ids != nullptr) {
        if (ids->type != GGML_TYPE_I32 || ids->nb[0] != sizeof(std::int32_t) || ids->ne[0] != node->ne[1] ||
            ids->ne[1] != node->ne[2] || node->nb[2] != node->nb[1] * static_cast<std::size_t>(node->ne[1])) {
            return false;
        }
        rows.n_used = static_cast<std::size_t>(node->ne[1]);
        rows.n_row = static_cast<std::size_t>(node->ne[2]);
        rows.experts = read_ids(ids);
    } else {
        rows.n_row = static_cast<std::size_t>(ggml_nrows(node));
    }
    if (node->buffer == nullptr || ggml_backend_buffer_is_host(node->buffer)) {
        rows.values = static_cast<const float *>(node->data);
        return true;
    }
    if (!ggml_is_contiguous(node)) {
        return false;
    }
    staging.resize(static_cast<std::size_t>(ggml_nelements(node)));
    ggml_backend_tensor_get(node, staging.data(), 0, staging.size() * sizeof(float));
    rows.values = staging.data();
    return true;
}

} // namespace valuelens
