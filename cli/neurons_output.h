#pragma once

#include <string>

#include "cli/command.h"
#include "valuelens/neurons.h"

namespace valuelens {

/// Where the table's companion (neurons_json) goes: the same name with .json.
std::string neurons_json_path(const std::string & csv_path);

/// Counts against chance, where the neurons lie, the largest overlaps. `output`: the CSV that was written.
Outcome describe_neurons(const NeuronTable & table, const std::string & output);

} // namespace valuelens
