#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "engine/down_projections.h"
#include "valuelens/neurons.h"

namespace valuelens {

/// Which values are looked for in which layers.
struct NeuronPlan {
    struct Value {
        std::size_t axes = 0;  ///< position in AxisSet::axes
        std::size_t group = 0; ///< position in `groups`
    };
    std::vector<Value> values;
    /// [group][n_layer] the distinct sets of layers in which axes are defined: what chance gives depends on nothing
    /// else.
    std::vector<std::vector<bool>> groups;
    std::vector<std::string> notes; ///< values without axes, undefined layers

    bool covers(const Value & value, std::size_t layer) const { return groups[value.group][layer]; }
};

/// Checks the axes against the model and chooses the values. Throws Error(bad_input): axes of another model, place or
/// shape, axes that are not orthonormal, an unknown value, or no value with axes.
NeuronPlan plan_neurons(const AxisSet & axes, const NeuronOptions & options, const DownProjections & model);

} // namespace valuelens
