#pragma once

#include <cstddef>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "valuelens/explain.h"
#include "valuelens/model.h"
#include "valuelens/neurons.h"
#include "valuelens/progress.h"

namespace valuelens {

/// What directions in the residual stream add to the logits, up to the positive scale of the final norm (OutputHead):
/// the `n` vocabulary tokens at each end. `directions`: [count, n_embd]; a row that is not finite has no tokens.
/// Tokens of equal logit come in the order of the vocabulary. Throws Error(model), Error(interrupted).
std::vector<LensTokens> logit_lens(const Model & model, std::span<const float> directions, std::size_t count,
                                   std::size_t n, ProgressSink & progress, std::stop_token stop);

/// w_out of each neuron, [neurons, n_embd]: the gain of a norm behind the MLP included, as `neurons` takes it. Throws
/// Error(model), Error(usage) for a neuron that the model does not have.
std::vector<float> output_weights(const std::string & model_path, std::span<const NeuronId> neurons);

} // namespace valuelens
