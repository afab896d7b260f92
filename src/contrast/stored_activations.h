#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "contrast/activation_source.h"
#include "store/activations.h"

namespace valuelens {

/// Activation files as a source. The reader must outlive it.
class StoredActivationSource : public ActivationSource {
public:
    explicit StoredActivationSource(const ActivationReader & reader) : reader_(reader) {}

    std::size_t n_rows() const override { return reader_.count(); }
    std::size_t n_layer() const override { return reader_.shape().n_layer; }
    std::size_t n_embd() const override { return reader_.shape().n_embd; }
    Provenance provenance() const override { return reader_.provenance(); }
    std::string id(std::size_t row) const override { return reader_.ids()[row]; }
    void read(std::size_t row, std::size_t layer, std::span<float> out) const override {
        reader_.read_layer(row, layer, out);
    }

private:
    const ActivationReader & reader_;
};

/// "acts.safetensors", or "acts-0.safetensors and 3 more", for messages. At least one path.
std::string files_name(const std::vector<std::filesystem::path> & paths);

/// Labels joined to activations by response id.
struct JoinedLabels {
    std::vector<std::string> values;         ///< as given, or those of the labels, sorted
    std::vector<LabelledResponse> responses; ///< in the order of the activations
    std::vector<std::string> notes;          ///< what did not find its counterpart, counted
};

/// Joins. `labels_name` and `activations_name` are for messages. Throws Error(bad_input): a label for a value that is
/// not among `values` (where any are given), a response labelled under two conditions, with two queries or twice for
/// one value, no labels, or none that matches an activation.
JoinedLabels join_labels(const ActivationReader & activations, const std::vector<Label> & labels,
                         const std::vector<std::string> & values, const std::string & labels_name,
                         const std::string & activations_name);

} // namespace valuelens
