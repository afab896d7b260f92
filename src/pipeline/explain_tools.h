#pragma once

#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "valuelens/explain.h"

namespace valuelens {

/// The neurons of a table that the options select, ascending by id, with what they are to each value. `notes` get what
/// was left out, counted. Throws Error(bad_input) with file:line for a broken table, a neuron that the model does not
/// have or that comes twice for a value, a table of another model, and where nothing is selected; Error(usage) for
/// values and categories that the table does not have.
std::vector<ChosenNeuron> load_chosen_neurons(const std::filesystem::path & table, const ModelInfo & model,
                                              const ExplainOptions & options, std::vector<std::string> & notes);

/// What `explain --run DIR` is asked for: the run's model, engine options, seed, neurons, axes and responses;
/// explanations.jsonl in its folder. What `request` states already stays, but for the seed. Throws Error(usage) where
/// there is no such run, or it has no neurons yet.
void fill_from_run(ExplainRequest & request, const std::filesystem::path & run, ProgressSink & progress,
                   std::stop_token stop);

} // namespace valuelens
