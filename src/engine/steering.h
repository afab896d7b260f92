#pragma once

#include <map>
#include <span>
#include <utility>
#include <vector>

#include "valuelens/intervention.h"

namespace valuelens {

/// An intervention sorted by block, its unit vectors computed: what the hooks apply to rows.
class PreparedIntervention {
public:
    /// Throws Error(usage) for a block, vector or neuron that the model does not have, or a zero vector to ablate or
    /// clamp.
    PreparedIntervention(const Intervention & intervention, int n_layer, int n_embd);

    bool edits_block_output(int layer) const { return steps_.count(layer) != 0; }
    bool edits_mlp(int layer) const { return neurons_.count(layer) != 0; }

    /// Applies the block's directions in order to one row of its output, in place.
    void edit_block_output(int layer, bool is_response, std::span<float> row) const;

    /// Scales the block's neurons in one row of its MLP post-activations. False: a neuron lies beyond the row.
    bool edit_mlp(int layer, std::span<float> row) const;

    /// The blocks that are touched, for planning.
    template <typename Visit>
    void for_each_layer(Visit && visit) const {
        for (const auto & [layer, steps] : steps_) {
            visit(layer, true);
        }
        for (const auto & [layer, neurons] : neurons_) {
            visit(layer, false);
        }
    }

private:
    struct Step {
        std::vector<float> vector; ///< add: alpha v; ablate, clamp: unit vector
        float target = 0;          ///< clamp: the component to set; ablate: 0
        SteerMode mode = SteerMode::add;
        TokenScope tokens = TokenScope::all;
    };
    std::map<int, std::vector<Step>> steps_;
    std::map<int, std::vector<std::pair<int, float>>> neurons_;
};

} // namespace valuelens
