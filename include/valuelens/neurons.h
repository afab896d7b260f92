#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "valuelens/decompose.h"
#include "valuelens/progress.h"

namespace valuelens {

enum class NeuronScope { layer, model };
enum class NeuronCategory { shared, intrinsic, prompted, anti_shared, none };
const char * to_string(NeuronScope scope);
const char * to_string(NeuronCategory category);

struct NeuronOptions {
    double top_percent = 1;                 ///< of neurons by |p| kept per value, in (0, 100]
    double max_angle = 30;                  ///< degrees; a neuron further from every axis has category none; in (0, 45]
    NeuronScope scope = NeuronScope::model; ///< top_percent of each layer, or of the whole model
    bool anti_shared = false;               ///< a category of its own for neurons that write along -u_shared
    std::vector<std::string> values;        ///< empty: all that have axes
    std::size_t null_draws = 40;            ///< random planes behind the counts by chance; 0: none. 40 are the fewest
                                            ///< whose range covers 95 %
    double confidence = 0.95;
    std::uint64_t seed = 0;
    unsigned threads = 0; ///< 0: all cores; changes nothing in the result
};

/// Where a neuron is. `expert`: -1 in dense layers; -2 for a shared expert (always active) of a mixture.
struct NeuronId {
    int layer = 0;
    int expert = -1;
    int neuron = 0;
    auto operator<=>(const NeuronId &) const = default;
};

/// A kept neuron of one value: w_out projected into the value's plane (design: Neurons). Angles in degrees, [0, 180].
struct ValueNeuron {
    std::size_t value = 0; ///< position in NeuronTable::values
    NeuronId id;
    double norm = 0; ///< |p|, p = (<w, u_shared>, <w, u_intrinsic>)
    double angle_shared = 0;
    double angle_intrinsic = 0;
    double angle_prompted = 0;
    NeuronCategory category = NeuronCategory::none;
};

/// How many kept neurons a category has, and how many in random planes of the same model.
struct CategoryCount {
    std::size_t count = 0;
    Null null;
};

/// Two values' kept neurons (of one category or all): what they have in common against what chance would give.
struct NeuronOverlap {
    std::size_t a = 0, b = 0;               ///< positions of the values
    std::optional<NeuronCategory> category; ///< none: all kept neurons
    std::size_t common = 0;
    std::size_t size_a = 0, size_b = 0;
    double jaccard = std::numeric_limits<double>::quiet_NaN();
    Null jaccard_null; ///< of two random planes: neurons with long output weights are kept for any plane, which
                       ///< `expected` and `p` leave out
    double expected = std::numeric_limits<double>::quiet_NaN(); ///< common neurons of independent sets of these sizes
    double p = std::numeric_limits<double>::quiet_NaN();        ///< P(at least so many in common), hypergeometric
};

struct NeuronTable {
    Provenance provenance;
    NeuronOptions options;
    std::vector<std::string> values;
    std::vector<std::string> notes;    ///< what was left out and why (a value without axes, undefined layers, ...)
    std::vector<std::size_t> n_neuron; ///< [n_layer] all neurons, experts included
    std::vector<ValueNeuron> neurons;  ///< by value, then descending norm, then id
    std::vector<std::vector<CategoryCount>> counts;                  ///< [n_value][5], by NeuronCategory
    std::vector<std::vector<std::vector<std::size_t>>> layer_counts; ///< [n_value][n_layer][5]
    std::vector<NeuronOverlap> overlaps; ///< pairs a < b, all neurons and each category in use but none
};

/// The neurons whose output weights lie in each value's plane: one streaming pass over the down projections of a GGUF
/// file (all parts), dequantised tile by tile, whatever the number of values.
///
/// Where a norm follows the MLP, its gain multiplies w_out first. Layers in which a value's axes are undefined give it
/// no neurons and are noted. Throws Error(model): not a usable GGUF, or a block without a down projection that is
/// known; Error(bad_input): axes of another model (by identity, or shape); Error(usage); Error(interrupted).
NeuronTable find_neurons(const std::string & model_path, const AxisSet & axes, const NeuronOptions & options = {},
                         ProgressSink & progress = silent_progress(), std::stop_token stop = {});

/// neurons.csv: value,layer,expert,neuron,norm,angle_shared,angle_intrinsic,angle_prompted,category (expert empty for
/// dense layers, "shared" for a shared expert).
void write_neurons_csv(const std::filesystem::path & path, const NeuronTable & table);

/// Provenance, options, counts against chance, overlaps: what the table itself does not say. Written beside it as
/// <name>.json, so that the table is refused against another model.
std::string neurons_json(const NeuronTable & table);

} // namespace valuelens
