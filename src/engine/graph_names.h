#pragma once

#include <ggml.h>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/steering.h"
#include "valuelens/neurons.h"
#include "valuelens/request.h"

namespace valuelens {

/// Post-activations of a block: the node that is multiplied by a down projection.
struct MlpNode {
    std::string name;          ///< empty: there is none, or it cannot be told from another
    std::int64_t n_neuron = 0; ///< of each expert
    std::int64_t n_expert = 0; ///< MlpKind::experts
};

/// Which post-activations a node's name stands for.
struct MlpPlace {
    int layer = 0;
    MlpKind kind = MlpKind::dense;
};

/// The block whose output a node is (l_out-<block>).
std::optional<int> block_output_layer(const ggml_tensor * node);

/// The experts that each token of a block was routed to.
struct ExpertChoice {
    int layer = 0;
    const ggml_tensor * ids = nullptr; ///< [n_used, n_token] I32
};

/// From a multiplication by a block's experts.
std::optional<ExpertChoice> expert_choice(const ggml_tensor * node);

/// What the names of a model's graph mean, learned from a first decode.
///
/// MLP post-activations are found by the graph (the second operand of the multiplication by
/// blk.<block>.ffn_down.weight, of a mixture's ffn_down_exps and ffn_down_shexp), not by a list of names, which works
/// for any architecture.
class GraphNames {
public:
    GraphNames(int n_layer, int n_embd);

    /// To be called with each node of a graph, in order.
    void learn_from(const ggml_tensor * node);

    /// Throws Error(model) where the model's graph lacks what the request asks for, Error(usage) for a neuron or expert
    /// that a block does not have.
    void require(const Request & request, const std::string & model_path) const;

    /// The same for one neuron of an existing block; `use`: what it cannot be ("scaled").
    void require_neuron(const NeuronId & id, std::string_view use, const std::string & model_path) const;

    /// What a node's name stands for; nothing for other nodes.
    std::optional<MlpPlace> find_mlp(std::string_view name) const;

    const MlpNode & mlp(int layer, MlpKind kind) const {
        return mlp_[static_cast<std::size_t>(kind)][static_cast<std::size_t>(layer)];
    }

    std::vector<bool> has_block_output; ///< per block: a node named l_out-<block> exists
    std::vector<bool> adds_vector;      ///< per block: its output is what llama.cpp's control vector was just added to
    bool is_mixture = false;            ///< some block has experts

private:
    MlpNode & mlp(MlpPlace place) {
        return mlp_[static_cast<std::size_t>(place.kind)][static_cast<std::size_t>(place.layer)];
    }

    int n_layer_;
    int n_embd_;
    std::array<std::vector<MlpNode>, 3> mlp_; ///< [MlpKind][block]
    std::map<std::string, MlpPlace, std::less<>> places_;
    std::vector<const ggml_tensor *> expert_ids_; ///< per block, of the projections into the experts
};

} // namespace valuelens
