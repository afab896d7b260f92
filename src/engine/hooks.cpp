#include "engine/hooks.h"

#include <ggml-backend.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>
#include <string_view>

#include "base/fail.h"

namespace valuelens {
namespace {

constexpr std::string_view block_output_prefix = "l_out-";

std::optional<int> number_after(std::string_view text, std::string_view prefix) {
    if (!text.starts_with(prefix)) {
        return std::nullopt;
    }
    text.remove_prefix(prefix.size());
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() ? std::optional(number) : std::nullopt;
}

std::optional<int> block_output_layer(const ggml_tensor * node) {
    const std::string_view name = ggml_get_name(node);
    const std::optional<int> layer = number_after(name, block_output_prefix);
    return layer && name == fmt::format("{}{}", block_output_prefix, *layer) ? layer : std::nullopt;
}

struct DownProjection {
    int layer;
    bool mixture;
};

// A backend may have copied the weight: its name then carries the backend before and a number after.
std::optional<DownProjection> down_projection(const ggml_tensor * node) {
    if ((node->op != GGML_OP_MUL_MAT && node->op != GGML_OP_MUL_MAT_ID) || node->src[0] == nullptr) {
        return std::nullopt;
    }
    const std::string_view name = ggml_get_name(node->src[0]);
    const std::size_t at = name.find("blk.");
    if (at == std::string_view::npos) {
        return std::nullopt;
    }
    const std::optional<int> layer = number_after(name.substr(at), "blk.");
    if (!layer) {
        return std::nullopt;
    }
    const std::string_view rest = name.substr(at);
    const bool mixture = rest.find(".ffn_down_exps.weight") != std::string_view::npos;
    if (!mixture && rest.find(".ffn_down.weight") == std::string_view::npos) {
        return std::nullopt;
    }
    return DownProjection{*layer, mixture};
}

// A block's output that is `something + a vector that is no weight`: not every architecture adds control vectors, and
// some do more to the sum.
bool adds_control_vector(const ggml_tensor * node, int n_embd) {
    if (node->op != GGML_OP_ADD || node->src[1] == nullptr) {
        return false;
    }
    const ggml_tensor * vector = node->src[1];
    return vector->op == GGML_OP_NONE && ggml_nelements(vector) == n_embd && vector->ne[0] == n_embd &&
           std::string_view(ggml_get_name(vector)).find("blk.") == std::string_view::npos;
}

// Rows of a [width, n] F32 tensor: in place on the host, through a staging copy elsewhere.
class RowAccess {
public:
    RowAccess(ggml_tensor * tensor, std::vector<float> & staging) : tensor_(tensor), staging_(staging) {
        host_ = tensor->buffer == nullptr || ggml_backend_buffer_is_host(tensor->buffer);
        if (!host_) {
            staging_.resize(static_cast<std::size_t>(tensor->ne[0]));
        }
    }

    float * read(std::size_t row) {
        if (host_) {
            return reinterpret_cast<float *>(static_cast<char *>(tensor_->data) + row * tensor_->nb[1]);
        }
        ggml_backend_tensor_get(tensor_, staging_.data(), row * tensor_->nb[1], staging_.size() * sizeof(float));
        return staging_.data();
    }

    void write_back(std::size_t row) {
        if (!host_) {
            ggml_backend_tensor_set(tensor_, staging_.data(), row * tensor_->nb[1], staging_.size() * sizeof(float));
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
    : n_layer_(n_layer), n_embd_(n_embd), projects_(static_cast<std::size_t>(n_layer)),
      edits_resid_(static_cast<std::size_t>(n_layer)), edits_mlp_(static_cast<std::size_t>(n_layer)) {
    names_.has_block_output.resize(static_cast<std::size_t>(n_layer));
    names_.mlp_post.resize(static_cast<std::size_t>(n_layer));
    names_.adds_vector.resize(static_cast<std::size_t>(n_layer));
}

void Hooks::forget_interventions() {
    prepared_.clear();
    in_graph_ = nullptr;
}

void Hooks::learn() {
    learning_ = true;
}

void Hooks::learn_from(const ggml_tensor * node) {
    if (const auto layer = block_output_layer(node); layer && *layer < n_layer_) {
        names_.has_block_output[static_cast<std::size_t>(*layer)] = true;
        names_.adds_vector[static_cast<std::size_t>(*layer)] = adds_control_vector(node, n_embd_);
    }
    if (const auto down = down_projection(node); down && down->layer < n_layer_ && node->src[1] != nullptr) {
        const std::string name = ggml_get_name(node->src[1]);
        names_.mlp_is_mixture = names_.mlp_is_mixture || down->mixture;
        // An unnamed node is numbered by its place in the graph, which differs from batch to batch.
        if (!down->mixture && !name.empty() && !name.starts_with("node_")) {
            names_.mlp_post[static_cast<std::size_t>(down->layer)] = name;
            mlp_layers_[name] = down->layer;
        }
    }
}

void Hooks::require(const Request & request, const std::string & model_path) const {
    const bool steers = request.intervention != nullptr && !request.intervention->directions.empty();
    if (request.capture.any_resid() || request.capture.projector != nullptr || steers) {
        for (std::size_t layer = 0; layer < names_.has_block_output.size(); ++layer) {
            if (!names_.has_block_output[layer]) {
                fail(ErrorKind::model,
                     "{}: its architecture does not name the output of block {} (l_out-{}) in llama.cpp, so its "
                     "residual stream cannot be "
                     "read or steered; use a model of another architecture",
                     model_path, layer, layer);
            }
        }
    }
    const bool scales = request.intervention != nullptr && !request.intervention->neurons.empty();
    if (request.capture.mlp_post || scales) {
        if (names_.mlp_is_mixture) {
            fail(ErrorKind::model,
                 "{}: is a mixture of experts; mlp_post of such a model cannot be captured or scaled as one row per "
                 "block",
                 model_path);
        }
        for (std::size_t layer = 0; layer < names_.mlp_post.size(); ++layer) {
            if (names_.mlp_post[layer].empty()) {
                fail(ErrorKind::model,
                     "{}: block {} has no MLP down projection (blk.{}.ffn_down.weight) whose input can be read",
                     model_path, layer, layer);
            }
        }
    }
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
    std::fill(edits_mlp_.begin(), edits_mlp_.end(), false);
    const Intervention * seen = nullptr;
    const Projector * seen_projector = nullptr;
    for (const BatchRow & row : rows) {
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
        if (row.intervention != nullptr && row.intervention != seen) {
            seen = row.intervention;
            prepare(*seen).for_each_layer([this](int layer, bool block_output) {
                (block_output ? edits_resid_ : edits_mlp_)[static_cast<std::size_t>(layer)] = true;
            });
        }
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

const PreparedIntervention & Hooks::prepare(const Intervention & intervention) {
    std::unique_ptr<PreparedIntervention> & slot = prepared_[&intervention];
    if (!slot && &intervention == in_graph_) {
        Intervention rest = intervention;
        std::erase_if(rest.directions, [](const LayerDirection & direction) { return direction.layer > 0; });
        slot = std::make_unique<PreparedIntervention>(rest, n_layer_, n_embd_);
    } else if (!slot) {
        slot = std::make_unique<PreparedIntervention>(intervention, n_layer_, n_embd_);
    }
    return *slot;
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
        learn_from(node);
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
    const std::string_view name = ggml_get_name(node);
    if (name.starts_with(block_output_prefix)) {
        if (const auto layer = block_output_layer(node); layer && *layer < n_layer_) {
            const auto at = static_cast<std::size_t>(*layer);
            return wants_resid_ || *layer == last_layer_ || edits_resid_[at] || projects_[at];
        }
    }
    if (wants_mlp_ || !mlp_layers_.empty()) {
        if (const auto found = mlp_layers_.find(name); found != mlp_layers_.end()) {
            return wants_mlp_ || edits_mlp_[static_cast<std::size_t>(found->second)];
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
    if (const auto found = mlp_layers_.find(std::string_view(ggml_get_name(node))); found != mlp_layers_.end()) {
        visit_mlp(node, found->second);
    }
    return true;
}

// Batch rows in the order of the node's rows: all of them, or (last block) those flagged as outputs.
std::vector<std::size_t> Hooks::rows_of(const ggml_tensor * node) {
    touched_ = true;
    const auto n = static_cast<std::size_t>(node->ne[1] * node->ne[2] * node->ne[3]);
    std::vector<std::size_t> rows;
    rows.reserve(n);
    const bool all = n == rows_->size();
    for (std::size_t i = 0; i < rows_->size(); ++i) {
        if (all || (*rows_)[i].output) {
            rows.push_back(i);
        }
    }
    if (rows.size() != n) {
        rows.clear();
    }
    return rows;
}

void Hooks::visit_block_output(ggml_tensor * node, int layer) {
    const bool projects = projects_[static_cast<std::size_t>(layer)];
    if (!wants_resid_ && !projects && !edits_resid_[static_cast<std::size_t>(layer)]) {
        return;
    }
    if (node->type != GGML_TYPE_F32 || node->ne[0] != n_embd_ || node->nb[0] != sizeof(float)) {
        broken_ = fmt::format("l_out-{} is not a plain F32 tensor of width {}", layer, n_embd_);
        return;
    }
    const std::vector<std::size_t> rows = rows_of(node);
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
        const PreparedIntervention * prepared = row.intervention == nullptr ? nullptr : &prepare(*row.intervention);
        const bool edited = prepared != nullptr && prepared->edits_block_output(layer);
        const bool projected = projects && row.projected >= 0;
        if (!summed && !kept && !edited && !projected) {
            continue;
        }
        float * x = access.read(r);
        if (edited) {
            prepared->edit_block_output(layer, row.is_response, {x, width});
            access.write_back(r);
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

void Hooks::visit_mlp(ggml_tensor * node, int layer) {
    const std::vector<std::size_t> rows = rows_of(node);
    if (node->type != GGML_TYPE_F32 || node->nb[0] != sizeof(float) || (rows.empty() && node->ne[1] != 0)) {
        broken_ = fmt::format("the MLP post-activations of block {} ({}) are not plain F32 rows of the batch", layer,
                              ggml_get_name(node));
        return;
    }
    RowAccess access(node, staging_);
    const auto width = static_cast<std::size_t>(node->ne[0]);
    for (std::size_t r = 0; r < rows.size(); ++r) {
        const BatchRow & row = (*rows_)[rows[r]];
        const bool captured = row.capture != nullptr && row.in_mean && !row.capture->mlp_post.empty();
        const PreparedIntervention * prepared = row.intervention == nullptr ? nullptr : &prepare(*row.intervention);
        const bool edited = prepared != nullptr && prepared->edits_mlp(layer);
        if (!captured && !edited) {
            continue;
        }
        float * x = access.read(r);
        if (edited) {
            if (!prepared->edit_mlp(layer, {x, width})) {
                broken_ = fmt::format("a neuron to scale lies beyond the {} neurons of block {}", width, layer);
                return;
            }
            access.write_back(r);
        }
        if (captured) {
            if (row.capture->mlp_post.size() != width * static_cast<std::size_t>(n_layer_)) {
                broken_ = fmt::format(
                    "block {} has {} MLP neurons, another number than the first block: mlp_post needs equal widths",
                    layer, width);
                return;
            }
            add_row(row.capture->mlp_post, static_cast<std::size_t>(layer), x, width);
        }
    }
}

} // namespace valuelens
