#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
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
    std::string id(std::size_t row) const override { return reader_.id(row); }
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

/// Joins labels to activations, one label at a time. `labels_name` and `activations_name` are for messages; the reader
/// must outlive it.
class LabelJoin {
public:
    LabelJoin(const ActivationReader & activations, std::vector<std::string> values, std::string labels_name,
              std::string activations_name);

    /// Throws Error(bad_input) for a label of a value that is not among the values, and for a response labelled under
    /// two conditions, with two queries or twice for one value.
    void add(const Label & label);

    /// Throws Error(bad_input) where there was no label, or none that matches an activation. Call it once.
    JoinedLabels finish();

private:
    const ActivationReader & activations_;
    std::string labels_name_;
    std::string activations_name_;
    JoinedLabels joined_;
    std::map<std::string, std::size_t> places_;  ///< of the values
    std::vector<std::uint32_t> response_of_row_; ///< in joined_.responses, counted from 1; 0: none
    std::size_t n_labels_ = 0;
    std::string first_id_;
    std::set<std::string> missing_;
    std::size_t missing_labels_ = 0;
};

/// LabelJoin over a list. Without `values`, they are those of the labels, sorted.
JoinedLabels join_labels(const ActivationReader & activations, const std::vector<Label> & labels,
                         const std::vector<std::string> & values, const std::string & labels_name,
                         const std::string & activations_name);

} // namespace valuelens
