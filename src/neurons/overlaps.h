#pragma once

#include <optional>
#include <vector>

#include "neurons/plan.h"
#include "neurons/survey.h"
#include "valuelens/neurons.h"

namespace valuelens {

/// What every two values' kept neurons have in common, all of them and by category (anti_shared only where it is one).
/// Values whose axes are defined in different layers are compared in the layers that both have.
///
/// `n_neuron`: [n_layer]. The chance level of the Jaccard index is that of every two random planes of the same layers;
/// it is left out (NaN) between values of different layers.
std::vector<NeuronOverlap> neuron_overlaps(const NeuronSurvey & survey, const NeuronPlan & plan,
                                           const NeuronOptions & options, const std::vector<std::size_t> & offsets,
                                           const DownProjections & model, const std::vector<std::size_t> & n_neuron);

/// Mean of the draws, and between which two of them `confidence` of further draws would lie (all draws have to do where
/// they are too few); NaN among them are left out.
Null null_of(const std::vector<double> & draws, double confidence);

} // namespace valuelens
