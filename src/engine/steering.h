#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "valuelens/intervention.h"

namespace valuelens {

/// A matrix of post-activations of a block: one row per token, or (experts) one per token and chosen expert.
enum class MlpKind { dense, shared, experts };

/// Of NeuronScale::expert.
MlpKind mlp_kind(int expert);

/// An intervention sorted by block, its unit vectors computed: what the hooks apply to rows.
class PreparedIntervention {
public:
    /// Throws Error(usage) for a block, vector or neuron that the model does not have, or a zero vector to ablate or
    /// clamp.
    PreparedIntervention(const Intervention & intervention, int n_layer, int n_embd);

    bool edits_block_output(int layer) const { return !steps_[static_cast<std::size_t>(layer)].empty(); }
    bool edits_mlp(int layer, MlpKind kind) const {
        return !neurons_[static_cast<std::size_t>(kind)][static_cast<std::size_t>(layer)].empty();
    }

    /// Applies the block's directions in order to one row of its output, in place.
    void edit_block_output(int layer, bool is_response, std::span<float> row) const;

    /// Scales the block's neurons in one row of post-activations. `expert`: the row's, for MlpKind::experts. False: a
    /// neuron lies beyond the row.
    bool edit_mlp(int layer, MlpKind kind, int expert, std::span<float> row) const;

    int n_layer() const { return static_cast<int>(steps_.size()); }

private:
    struct Step {
        std::vector<float> vector; ///< add: alpha v; ablate, clamp: unit vector
        float target = 0;          ///< clamp: the component to set; ablate: 0
        SteerMode mode = SteerMode::add;
        TokenScope tokens = TokenScope::all;
    };
    struct Factor {
        int expert = 0;
        int neuron = 0;
        float beta = 1;
    };
    std::vector<std::vector<Step>> steps_;                    ///< [n_layer]
    std::array<std::vector<std::vector<Factor>>, 3> neurons_; ///< [MlpKind][n_layer]
};

} // namespace valuelens
