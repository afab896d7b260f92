#pragma once

#include <cstddef>
#include <stop_token>
#include <vector>

#include "engine/down_projections.h"
#include "neurons/plan.h"
#include "neurons/top_norms.h"
#include "valuelens/neurons.h"
#include "valuelens/progress.h"

namespace valuelens {

/// The kept projections of every plane.
struct NeuronSurvey {
    std::vector<std::vector<Projection>> values;             ///< [n_value], descending norm, then neuron
    std::vector<std::vector<std::vector<Projection>>> draws; ///< [group][null_draws] of random planes
};

/// Reads every down projection once and projects its neurons into the planes of all values and into random planes
/// (orthonormal pairs, isotropic, one for each draw and layer).
///
/// Throws Error(model) where a weight is not finite, Error(interrupted).
NeuronSurvey survey_neurons(const DownProjections & model, const AxisSet & axes, const NeuronPlan & plan,
                            const NeuronOptions & options, ProgressSink & progress, std::stop_token stop);

/// Where the neurons of each matrix begin among all neurons of the model: [n_matrix + 1].
std::vector<std::size_t> neuron_offsets(const DownProjections & model);

/// [n_layer] all neurons, experts included.
std::vector<std::size_t> neurons_per_layer(const DownProjections & model);

} // namespace valuelens
