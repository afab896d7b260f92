#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace valuelens {

/// What a command line asks to be done to the model; read by load_intervention() (pipeline/steer_spec.h).
struct InterventionOptions {
    std::vector<std::string> steer;
    std::vector<std::string> scale_neurons;
};

void add_intervention_options(CLI::App & command, InterventionOptions & options);

/// --scale-neurons alone, shown under `group` in the help.
void add_scale_neurons_option(CLI::App & command, std::vector<std::string> & scale_neurons, const char * group);

} // namespace valuelens
