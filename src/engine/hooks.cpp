#include "engine/hooks.h"

#include <ggml-backend.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <numeric>
#include <string_view>

#include "base/fail.h"

namespace valuelens {
namespace {

// Rows of an F32 tensor by their place in bytes: in place on the host, through a staging copy elsewhere.
class RowAccess {
public:
    RowAccess(ggml_tensor * tensor, std::vector<float> & staging) : tensor_(tensor), staging_(staging) {
        host_ = tensor->buffer == nullptr || ggml_backend_buffer_is_host(tensor->buffer);
        if (!host_) {
            staging_.resize(static_cast<std::size_t>(tensor->ne[0]));
        }
    }

    float * read(std::size_t offset) {
        if (host_) {
            return reinterpret_cast<float *>(static_cast<char *>(tensor_->data) + offset);
        }
        ggml_backend_tensor_get(tensor_, staging_.data(), offset, staging_.size() * sizeof(float));
        return staging_.data();
    }

    void write_back(std::size_t offset) {
        if (!host_) {
            ggml_backend_tensor_set(tensor_, staging_.data(), offset, staging_.size() * sizeof(float));
        }
    }

private:
    ggml_tensor * tensor_;
    std::vector<float> & staging_;
    bool host_;
};

void add_row(std::vector<double> & sums, std::size_t layer, const float * row, std::size_t width) {
    double * into = sums.data() + layer * width;
    for (std::size_t i = 0; i < width; ++i) {
        into[i] += static_cast<double>(row[i]);
    }
}

/// Adds what the block's output contributes to the projections of one row.
void project_row(const BatchRow & row, int layer, std::span<const float> x) {
    const Projector & projector = *row.capture->projector;
    float * into = row.capture->projected.data() + static_cast<std::size_t>(row.projected) * projector.n_directions;
    for (const Projector::Row & direction : projector.rows) {
        if (direction.layer == layer) {
            double dot = 0;
            for (std::size_t i = 0; i < x.size(); ++i) {
                dot += static_cast<double>(x[i]) * direction.vector[i];
            }
            into[direction.direction] += static_cast<float>(dot);
        }
    }
}

} // namespace

Hooks::Hooks(int n_layer, int n_embd)
    : n_layer_(n_layer), n_embd_(n_embd), names_(n_layer, n_embd), expert_ids_(static_cast<std::size_t>(n_layer)),
      projects_(static_cast<std::size_t>(n_layer)), edits_resid_(static_cast<std::size_t>(n_layer)) {
    edits_mlp_.fill(std::vector<bool>(static_cast<std::size_t>(n_layer)));
}

void Hooks::forget_interventions() {
    prepared_.clear();
    in_graph_ = nullptr;
}

void Hooks::learn() {
    learning_ = true;
}

void Hooks::require(const Request & request, const std::string & model_path) const {
    names_.require(request, model_path);
}

void Hooks::begin(const std::vector<BatchRow> & rows, int last_layer) {
    learning_ = false;
    rows_ = &rows;
    last_layer_ = last_layer;
    rows_checked_ = false;
    touched_ = false;
    broken_.clear();
    wants_resid_ = false;
    wants_mlp_ = false;
    std::fill(projects_.begin(), projects_.end(), false);
    std::fill(edits_resid_.begin(), edits_resid_.end(), false);
    for (std::vector<bool> & edits : edits_mlp_) {
        std::fill(edits.begin(), edits.end(), false);
    }
    edits_any_mlp_ = false;
    row_edits_.assign(rows.size(), nullptr);
    output_rows_.clear();
    all_rows_.resize(rows.size());
    std::iota(all_rows_.begin(), all_rows_.end(), std::size_t{0});
    const Intervention * seen = nullptr;
    const PreparedIntervention * prepared = nullptr;
    const Projector * seen_projector = nullptr;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const BatchRow & row = rows[i];
        if (row.output) {
            output_rows_.push_back(i);
        }
        if (row.projected >= 0 && row.capture->projector != seen_projector) {
            seen_projector = row.capture->projector;
            for (const Projector::Row & direction : seen_projector->rows) {
                projects_[static_cast<std::size_t>(direction.layer)] = true;
            }
        }
        if (row.capture != nullptr) {
            wants_resid_ = wants_resid_ || (row.in_mean && !row.capture->resid_post.empty()) ||
                           (row.is_last && !row.capture->resid_last.empty());
            wants_mlp_ = wants_mlp_ || (row.in_mean && !row.capture->mlp_post.empty());
        }
        if (row.intervention == nullptr) {
            continue;
        }
        if (row.intervention != seen) {
            seen = row.intervention;
            prepared = prepare(*seen);
            for (int layer = 0; layer < n_layer_; ++layer) {
                const auto at = static_cast<std::size_t>(layer);
                edits_resid_[at] = edits_resid_[at] || prepared->edits_block_output(layer);
                for (const MlpKind kind : {MlpKind::dense, MlpKind::shared, MlpKind::experts}) {
                    if (prepared->edits_mlp(layer, kind)) {
                        edits_mlp_[static_cast<std::size_t>(kind)][at] = true;
                        edits_any_mlp_ = true;
                    }
                }
            }
        }
        row_edits_[i] = prepared;
    }
}

void Hooks::end() {
    rows_ = nullptr;
    if (broken_.empty() && touched_ && !rows_checked_) {
        broken_ = "the model's graph has no input named inp_tokens, so the order of its rows cannot be checked";
    }
    if (!broken_.empty()) {
        fail(ErrorKind::internal, "{}", broken_);
    }
}

const PreparedIntervention * Hooks::prepare(const Intervention & intervention) {
    std::unique_ptr<PreparedIntervention> & slot = prepared_[&intervention];
    if (!slot && &intervention == in_graph_) {
        Intervention rest = intervention;
        std::erase_if(rest.directions, [](const LayerDirection & direction) { return direction.layer > 0; });
        slot = std::make_unique<PreparedIntervention>(rest, n_layer_, n_embd_);
    } else if (!slot) {
        slot = std::make_unique<PreparedIntervention>(intervention, n_layer_, n_embd_);
    }
    return slot.get();
}

bool Hooks::callback(ggml_tensor * node, bool ask, void * user_data) {
    auto & hooks = *static_cast<Hooks *>(user_data);
    if (ask) {
        return hooks.on_ask(node);
    }
    const auto begin = std::chrono::steady_clock::now();
    const bool go_on = hooks.on_value(node);
    hooks.seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return go_on;
}

bool Hooks::on_ask(const ggml_tensor * node) {
    if (learning_) {
        names_.learn_from(node);
        return false;
    }
    if (rows_ == nullptr) {
        return false;
    }
    if (!rows_checked_) {
        for (const ggml_tensor * source : node->src) {
            if (source != nullptr &&
                std::string_view(ggml_get_name(source)).find("inp_tokens") != std::string_view::npos) {
                check_rows(source);
                rows_checked_ = true;
                break;
            }
        }
    }
    if (const auto layer = block_output_layer(node); layer && *layer < n_layer_) {
        const auto at = static_cast<std::size_t>(*layer);
        return wants_resid_ || *layer == last_layer_ || edits_resid_[at] || projects_[at];
    }
    if (edits_any_mlp_ || sink_ != nullptr) {
        if (const auto choice = expert_choice(node); choice && choice->layer < n_layer_) {
            expert_ids_[static_cast<std::size_t>(choice->layer)] = choice->ids;
        }
    }
    if (wants_mlp_ || edits_any_mlp_ || sink_ != nullptr) {
        if (const auto found = names_.find_mlp(ggml_get_name(node))) {
            return (wants_mlp_ && found->kind == MlpKind::dense) || (sink_ != nullptr && sink_->wants(*found)) ||
                   edits_mlp_[static_cast<std::size_t>(found->kind)][static_cast<std::size_t>(found->layer)];
        }
    }
    return false;
}

// The rows of the graph are those of the batch in the same order: the scheduler sends batches that llama.cpp does not
// split or reorder. Means of the wrong rows would look plausible, so this is checked and not assumed.
void Hooks::check_rows(const ggml_tensor * tokens) {
    std::vector<std::int32_t> ids(static_cast<std::size_t>(ggml_nelements(tokens)));
    ggml_backend_tensor_get(tokens, ids.data(), 0, ids.size() * sizeof(std::int32_t));
    bool same = ids.size() == rows_->size();
    for (std::size_t i = 0; same && i < ids.size(); ++i) {
        same = ids[i] == (*rows_)[i].token;
    }
    if (!same) {
        broken_ = fmt::format(
            "llama.cpp reordered a batch of {} rows into a graph of {}; captured rows would be the wrong ones",
            rows_->size(), ids.size());
    }
}

bool Hooks::on_value(ggml_tensor * node) {
    if (!broken_.empty()) {
        return false;
    }
    if (const auto layer = block_output_layer(node)) {
        visit_block_output(node, *layer);
        return *layer != last_layer_;
    }
    if (const auto found = names_.find_mlp(ggml_get_name(node))) {
        if (found->kind == MlpKind::experts) {
            visit_experts(node, found->layer);
        } else {
            visit_mlp(node, *found);
        }
        if (sink_ != nullptr && sink_->wants(*found)) {
            feed_sink(node, *found);
        }
    }
    return true;
}

void Hooks::feed_sink(const ggml_tensor * node, MlpPlace place) {
    touched_ = true;
    MlpRows rows;
    const bool experts = place.kind == MlpKind::experts;
    const ggml_tensor * ids = experts ? expert_ids_[static_cast<std::size_t>(place.layer)] : nullptr;
    if ((experts && ids == nullptr) || !read_mlp_rows(node, ids, staging_, rows) || rows.n_row != rows_->size()) {
        broken_ = fmt::format("the MLP post-activations of block {} ({}) are not plain F32 rows of the whole batch",
                              place.layer, ggml_get_name(node));
        return;
    }
    sink_->take(place, rows);
}

// Batch rows in the order of a node with n of them: all, or (last block) those flagged as outputs. Empty: neither.
std::span<const std::size_t> Hooks::rows_of(std::int64_t n) {
    touched_ = true;
    const auto count = static_cast<std::size_t>(n);
    return count == all_rows_.size()      ? std::span<const std::size_t>(all_rows_)
           : count == output_rows_.size() ? std::span<const std::size_t>(output_rows_)
                                          : std::span<const std::size_t>();
}

void Hooks::visit_block_output(ggml_tensor * node, int layer) {
    const bool edits = edits_resid_[static_cast<std::size_t>(layer)];
    const bool projects = projects_[static_cast<std::size_t>(layer)];
    if (!wants_resid_ && !edits && !projects) {
        return;
    }
    if (node->type != GGML_TYPE_F32 || node->ne[0] != n_embd_ || node->nb[0] != sizeof(float)) {
        broken_ = fmt::format("l_out-{} is not a plain F32 tensor of width {}", layer, n_embd_);
        return;
    }
    const std::span<const std::size_t> rows = rows_of(ggml_nrows(node));
    if (rows.empty() && node->ne[1] != 0) {
        broken_ = fmt::format("l_out-{} has {} rows, neither the batch's {} nor its outputs", layer, node->ne[1],
                              rows_->size());
        return;
    }
    RowAccess access(node, staging_);
    const auto width = static_cast<std::size_t>(n_embd_);
    for (std::size_t r = 0; r < rows.size(); ++r) {
        const BatchRow & row = (*rows_)[rows[r]];
        const bool summed = row.capture != nullptr && row.in_mean && !row.capture->resid_post.empty();
        const bool kept = row.capture != nullptr && row.is_last && !row.capture->resid_last.empty();
        const PreparedIntervention * prepared = edits ? row_edits_[rows[r]] : nullptr;
        const bool edited = prepared != nullptr && prepared->edits_block_output(layer);
        const bool projected = projects && row.projected >= 0;
        if (!summed && !kept && !edited && !projected) {
            continue;
        }
        const std::size_t offset = r * node->nb[1];
        float * x = access.read(offset);
        if (edited) {
            prepared->edit_block_output(layer, row.is_response, {x, width});
            access.write_back(offset);
        }
        // After the edits: a capture under steering sees the steered stream.
        if (projected) {
            project_row(row, layer, {x, width});
        }
        if (summed) {
            add_row(row.capture->resid_post, static_cast<std::size_t>(layer), x, width);
        }
        if (kept) {
            std::copy_n(x, width,
                        row.capture->resid_last.begin() +
                            static_cast<std::ptrdiff_t>(static_cast<std::size_t>(layer) * width));
        }
    }
}

void Hooks::visit_mlp(ggml_tensor * node, MlpPlace place) {
    const int layer = place.layer;
    const std::span<const std::size_t> rows = rows_of(ggml_nrows(node));
    if (node->type != GGML_TYPE_F32 || node->nb[0] != sizeof(float) || (rows.empty() && node->ne[1] != 0)) {
        broken_ = fmt::format("the MLP post-activations of block {} ({}) are not plain F32 rows of the batch", layer,
                              ggml_get_name(node));
        return;
    }
    RowAccess access(node, staging_);
    const auto width = static_cast<std::size_t>(node->ne[0]);
    for (std::size_t r = 0; r < rows.size(); ++r) {
        const BatchRow & row = (*rows_)[rows[r]];
        const bool captured =
            place.kind == MlpKind::dense && row.capture != nullptr && row.in_mean && !row.capture->mlp_post.empty();
        const PreparedIntervention * prepared = row_edits_[rows[r]];
        const bool edited = prepared != nullptr && prepared->edits_mlp(layer, place.kind);
        if (!captured && !edited) {
            continue;
        }
        const std::size_t offset = r * node->nb[1];
        float * x = access.read(offset);
        if (edited) {
            if (!prepared->edit_mlp(layer, place.kind, dense_mlp, {x, width})) {
                broken_ = fmt::format("a neuron to scale lies beyond the {} neurons of block {}", width, layer);
                return;
            }
            access.write_back(offset);
        }
        if (captured) {
            if (row.capture->mlp_post.size() != width * static_cast<std::size_t>(n_layer_)) {
                broken_ = fmt::format(
                    "block {} has {} MLP neurons, another number than other blocks: mlp_post needs equal widths", layer,
                    width);
                return;
            }
            add_row(row.capture->mlp_post, static_cast<std::size_t>(layer), x, width);
        }
    }
}

// [n_neuron, n_used, n_token]: each token has a row for each expert that it was routed to.
void Hooks::visit_experts(ggml_tensor * node, int layer) {
    const ggml_tensor * ids = expert_ids_[static_cast<std::size_t>(layer)];
    const std::span<const std::size_t> rows = rows_of(node->ne[2] * node->ne[3]);
    const auto n_used = static_cast<std::size_t>(node->ne[1]);
    if (node->type != GGML_TYPE_F32 || node->nb[0] != sizeof(float) || (rows.empty() && node->ne[2] != 0) ||
        ids == nullptr || ids->type != GGML_TYPE_I32 || ids->nb[0] != sizeof(std::int32_t) ||
        ids->ne[0] != node->ne[1] || ids->ne[1] != node->ne[2]) {
        broken_ =
            fmt::format("the post-activations of the experts of block {} ({}) are not plain F32 rows of the batch",
                        layer, ggml_get_name(node));
        return;
    }
    RowAccess access(node, staging_);
    const auto width = static_cast<std::size_t>(node->ne[0]);
    std::vector<std::int32_t> chosen(n_used);
    for (std::size_t r = 0; r < rows.size(); ++r) {
        const PreparedIntervention * prepared = row_edits_[rows[r]];
        if (prepared == nullptr || !prepared->edits_mlp(layer, MlpKind::experts)) {
            continue;
        }
        ggml_backend_tensor_get(ids, chosen.data(), r * ids->nb[1], chosen.size() * sizeof(std::int32_t));
        for (std::size_t k = 0; k < n_used; ++k) {
            const std::size_t offset = r * node->nb[2] + k * node->nb[1];
            float * x = access.read(offset);
            if (!prepared->edit_mlp(layer, MlpKind::experts, chosen[k], {x, width})) {
                broken_ =
                    fmt::format("a neuron to scale lies beyond the {} neurons of an expert of block {}", width, layer);
                return;
            }
            access.write_back(offset);
        }
    }
}

} // namespace valuelens
