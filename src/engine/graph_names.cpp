#include "engine/graph_names.h"

#include <charconv>

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

struct BlockWeight {
    int layer = 0;
    std::string_view name; ///< behind "blk.<layer>."
};

// The weight that a node multiplies by. A backend may have copied it: its name then carries the backend before and a
// number after.
std::optional<BlockWeight> block_weight(const ggml_tensor * node) {
    if ((node->op != GGML_OP_MUL_MAT && node->op != GGML_OP_MUL_MAT_ID) || node->src[0] == nullptr) {
        return std::nullopt;
    }
    const std::string_view name = ggml_get_name(node->src[0]);
    const std::size_t at = name.find("blk.");
    const std::optional<int> layer =
        at == std::string_view::npos ? std::nullopt : number_after(name.substr(at), "blk.");
    return layer ? std::optional(BlockWeight{*layer, name.substr(name.find('.', at + 4) + 1)}) : std::nullopt;
}

std::optional<MlpKind> down_projection(std::string_view weight) {
    return weight.starts_with("ffn_down.weight")         ? std::optional(MlpKind::dense)
           : weight.starts_with("ffn_down_shexp.weight") ? std::optional(MlpKind::shared)
           : weight.starts_with("ffn_down_exps.weight")  ? std::optional(MlpKind::experts)
                                                         : std::nullopt;
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

} // namespace

std::optional<int> block_output_layer(const ggml_tensor * node) {
    const std::string_view name = ggml_get_name(node);
    const std::optional<int> layer = number_after(name, block_output_prefix);
    return layer && name == fmt::format("{}{}", block_output_prefix, *layer) ? layer : std::nullopt;
}

std::optional<ExpertChoice> expert_choice(const ggml_tensor * node) {
    if (node->op != GGML_OP_MUL_MAT_ID) {
        return std::nullopt;
    }
    const std::optional<BlockWeight> weight = block_weight(node);
    return weight ? std::optional(ExpertChoice{weight->layer, node->src[2]}) : std::nullopt;
}

GraphNames::GraphNames(int n_layer, int n_embd)
    : has_block_output(static_cast<std::size_t>(n_layer)), adds_vector(static_cast<std::size_t>(n_layer)),
      n_layer_(n_layer), n_embd_(n_embd), expert_ids_(static_cast<std::size_t>(n_layer)) {
    mlp_.fill(std::vector<MlpNode>(static_cast<std::size_t>(n_layer)));
}

void GraphNames::learn_from(const ggml_tensor * node) {
    if (const auto layer = block_output_layer(node); layer && *layer < n_layer_) {
        has_block_output[static_cast<std::size_t>(*layer)] = true;
        adds_vector[static_cast<std::size_t>(*layer)] = adds_control_vector(node, n_embd_);
    }
    const std::optional<BlockWeight> weight = block_weight(node);
    if (!weight || weight->layer >= n_layer_) {
        return;
    }
    const std::optional<MlpKind> kind = down_projection(weight->name);
    if (!kind || node->src[1] == nullptr) {
        if (const auto choice = expert_choice(node)) {
            expert_ids_[static_cast<std::size_t>(choice->layer)] = choice->ids;
        }
        return;
    }
    is_mixture = is_mixture || *kind != MlpKind::dense;
    // The experts must be known before the node is computed: from the projections into them, which come earlier.
    if (*kind == MlpKind::experts && expert_ids_[static_cast<std::size_t>(weight->layer)] != node->src[2]) {
        return;
    }
    const std::string name = ggml_get_name(node->src[1]);
    // An unnamed node is numbered by its place in the graph, which differs from batch to batch.
    if (name.empty() || name.starts_with("node_")) {
        return;
    }
    const MlpPlace here{weight->layer, *kind};
    mlp(here) = {name, node->src[0]->ne[0], *kind == MlpKind::experts ? node->src[0]->ne[2] : 0};
    const auto [known, added] = places_.emplace(name, here);
    if (!added && (known->second.layer != here.layer || known->second.kind != here.kind)) {
        mlp(here).name.clear(); // one name for two nodes
        mlp(known->second).name.clear();
    }
}

std::optional<MlpPlace> GraphNames::find_mlp(std::string_view name) const {
    const auto found = places_.find(name);
    return found == places_.end() ? std::nullopt : std::optional(found->second);
}

void GraphNames::require(const Request & request, const std::string & model_path) const {
    const bool steers = request.intervention != nullptr && !request.intervention->directions.empty();
    if (request.capture.any_resid() || request.capture.projector != nullptr || steers) {
        for (std::size_t layer = 0; layer < has_block_output.size(); ++layer) {
            if (!has_block_output[layer]) {
                fail(ErrorKind::model,
                     "{}: its architecture does not name the output of block {} (l_out-{}) in llama.cpp, so its "
                     "residual stream cannot be "
                     "read or steered; use a model of another architecture",
                     model_path, layer, layer);
            }
        }
    }
    if (request.capture.mlp_post && is_mixture) {
        fail(
            ErrorKind::model,
            "{}: is a mixture of experts, each token passing through some of them, so that there is no mlp_post of one "
            "width to capture; leave it out (resid_post can be captured, and neurons of experts can be scaled)",
            model_path);
    }
    if (request.capture.mlp_post) {
        for (int layer = 0; layer < n_layer_; ++layer) {
            if (mlp(layer, MlpKind::dense).name.empty()) {
                fail(ErrorKind::model,
                     "{}: block {} has no MLP down projection (blk.{}.ffn_down.weight) whose input can be read",
                     model_path, layer, layer);
            }
        }
    }
    if (request.intervention != nullptr) {
        for (const NeuronScale & scale : request.intervention->neurons) {
            if (scale.layer >= 0 && scale.layer < n_layer_) { // else said when the intervention is prepared
                require_neuron({scale.layer, scale.expert, scale.neuron}, "scaled", model_path);
            }
        }
    }
}

void GraphNames::require_neuron(const NeuronId & id, std::string_view use, const std::string & model_path) const {
    const MlpKind kind = mlp_kind(id.expert);
    const MlpNode & node = mlp(id.layer, kind);
    if (node.name.empty()) {
        static constexpr std::array<const char *, 3> tensors{"ffn_down", "ffn_down_shexp", "ffn_down_exps"};
        fail(ErrorKind::model,
             "{}: block {} has no {} down projection (blk.{}.{}.weight) whose input can be read, so its neurons cannot "
             "be {}",
             model_path, id.layer, kind == MlpKind::dense ? "MLP" : "expert's", id.layer,
             tensors[static_cast<std::size_t>(kind)], use);
    }
    if (id.neuron < 0 || id.neuron >= node.n_neuron || (kind == MlpKind::experts && id.expert >= node.n_expert)) {
        fail(ErrorKind::usage,
             "layer {} has no neuron {}{} that could be {}; it has the neurons 0-{}{}, counted from 0", id.layer,
             id.neuron, kind == MlpKind::experts ? fmt::format(" of expert {}", id.expert) : std::string(), use,
             node.n_neuron - 1,
             kind == MlpKind::experts ? fmt::format(" of the experts 0-{}", node.n_expert - 1) : std::string());
    }
}

} // namespace valuelens
