#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/spec_text.h"
#include "valuelens/intervention.h"
#include "valuelens/model.h"

namespace valuelens {

/// `--scale-neurons neurons.csv,value=V,category=C[,beta=X][,layers=A-B]`, or a CSV of `layer,neuron` without value and
/// category. A column `expert` (empty, a number, or "shared") tells the experts of a mixture apart.
struct NeuronSpec {
    std::filesystem::path file;
    std::optional<std::string> value;
    std::optional<std::string> category;
    std::optional<LayerRange> layers; ///< nothing: all that the file has
    float beta = 0.0f;                ///< the default switches the neurons off
    SpecText text;
};

/// Throws Error(usage) that quotes the specification.
NeuronSpec parse_neuron_spec(const std::string & text);

/// A number below `bound` in a cell of a table of neurons. Throws Error(bad_input) that begins with `where`.
int read_neuron_number(std::string_view cell, const std::string & where, const char * column, int bound);

/// The expert in a cell of a table of neurons, as in NeuronScale::expert: empty, "shared" or a number. Throws
/// Error(bad_input) that begins with `where`.
int read_neuron_expert(std::string_view cell, const std::string & where, const ModelInfo & model);

/// Throws Error(bad_input) where the JSON beside a table (neurons.json of neurons.csv) names another model. A table
/// made elsewhere need not have one.
void require_table_of_model(const std::filesystem::path & table, const ModelInfo & model);

/// The neurons of all specifications, ascending by layer, expert and neuron; factors of a neuron that several name are
/// multiplied. Throws Error(bad_input) with file:line for a broken table, a neuron that the model does not have or that
/// comes twice in one selection, a table whose JSON beside it (neurons.json of neurons.csv) names another model, and
/// where nothing is selected; Error(usage) for layers outside the model.
std::vector<NeuronScale> load_neuron_scales(std::span<const NeuronSpec> specs, const ModelInfo & model);

} // namespace valuelens
