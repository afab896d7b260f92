#pragma once

#include <map>
#include <vector>

namespace valuelens {

/// What is done to the residual stream along a direction (design: Intervention).
enum class SteerMode {
    add,    ///< a + alpha v
    ablate, ///< a - (a.u) u, u = v/|v|
    clamp,  ///< a - (a.u) u + alpha u
};

/// Which tokens of a request are touched. A think block counts as prompt: it is no part of the response.
enum class TokenScope { all, response, prompt };

/// One direction at one block's output.
struct LayerDirection {
    int layer = 0;             ///< 0-based block
    std::vector<float> vector; ///< [n_embd]; add: v as it is; ablate and clamp use its unit vector
    float alpha = 1.0f;        ///< add: factor; clamp: the component to set; ablate: unused
    SteerMode mode = SteerMode::add;
    TokenScope tokens = TokenScope::all;
};

inline constexpr int dense_mlp = -1;     ///< in the place of an expert: the MLP of a block without experts
inline constexpr int shared_expert = -2; ///< ... the expert of a mixture that is always active

/// MLP post-activations of a block multiplied by factors.
struct NeuronScale {
    int layer = 0;
    int neuron = 0; ///< of the expert
    float beta = 1.0f;
    int expert = dense_mlp; ///< 0, 1, ...: scaled at the tokens that are routed to it
};

/// What is done to the model while it serves one request. Directions of one layer are applied in order. Immutable while
/// in use.
struct Intervention {
    std::vector<LayerDirection> directions;
    std::vector<NeuronScale> neurons; ///< at every token
    bool empty() const { return directions.empty() && neurons.empty(); }
};

} // namespace valuelens
