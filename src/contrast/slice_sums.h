#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "store/safetensors.h"
#include "valuelens/records.h"
#include "valuelens/vectors.h"

namespace valuelens {

/// What is kept of a slice whose activations are not: sums of response means by value, condition and class. Difference
/// of means need no more; whatever asks single responses (AUROC, resampling queries) does.
class SliceSums {
public:
    SliceSums(std::size_t n_layer, std::size_t n_embd);

    /// Counts a response with its length at each layer. `resid_post` [n_layer, n_embd]. Throws Error(bad_input) naming
    /// the response where a number is not finite.
    void add_response(const std::string & id, std::span<const float> resid_post);

    /// Adds a labelled response to its class.
    void add_label(const std::string & value, Condition condition, bool expresses, std::span<const float> resid_post);

    /// Safetensors: `<value>/<condition>/expressing` and `.../not_expressing` [n_layer, n_embd], `resid_norm_sum`
    /// [n_layer]; counts in the metadata. The file appears whole or not at all.
    void write(const std::filesystem::path & path, const Provenance & provenance) const;

private:
    /// A value's responses under one condition. Class 0: not expressing, 1: expressing.
    struct Cell {
        std::array<std::size_t, 2> count{};
        std::array<std::vector<float>, 2> sum; ///< [n_layer, n_embd]; empty where there is no response
    };

    std::size_t n_layer_;
    std::size_t n_embd_;
    std::size_t n_responses_ = 0;
    std::vector<double> resid_norm_sum_; ///< [n_layer]
    std::map<std::pair<std::string, Condition>, Cell> cells_;
};

/// What SliceSums wrote, read a row at a time from the mapped file.
class SliceSumsFile {
public:
    /// Throws Error(bad_input) naming the file.
    explicit SliceSumsFile(const std::filesystem::path & path);

    const Provenance & provenance() const { return provenance_; }
    std::size_t n_layer() const { return n_layer_; }
    std::size_t n_embd() const { return n_embd_; }
    std::size_t n_responses() const { return n_responses_; }
    const std::vector<float> & resid_norm_sum() const { return resid_norm_sum_; } ///< [n_layer]

    /// Responses of each class; zeros where the slice has none of that value and condition.
    std::array<std::size_t, 2> count(const std::string & value, Condition condition) const;

    /// The sum of a class that has responses, at one layer: into `row` [n_embd].
    void read(const std::string & value, Condition condition, bool expresses, std::size_t layer,
              std::span<float> row) const;

    /// As SafetensorsFile::release_pages().
    void release_pages() const { file_.release_pages(); }

private:
    SafetensorsFile file_;
    Provenance provenance_;
    std::size_t n_layer_ = 0;
    std::size_t n_embd_ = 0;
    std::size_t n_responses_ = 0;
    std::vector<float> resid_norm_sum_;
    std::map<std::pair<std::string, Condition>, std::array<std::size_t, 2>> counts_;
};

} // namespace valuelens
