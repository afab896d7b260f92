#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <stop_token>
#include <string>
#include <vector>

#include "valuelens/progress.h"
#include "valuelens/records.h"

namespace valuelens {

/// What a file of activations or directions was made from; written into every file, checked on every load.
struct Provenance {
    std::string model_name;              ///< general.name of the GGUF, or its file name
    std::string model_hash;              ///< identity hash (design: header, tensor table, sampled data)
    std::string location = "resid_post"; ///< where in the block
    std::string layer_convention = "0-based block output";
    std::string tool_version;
};

struct VectorOptions {
    std::size_t min_count = 8;     ///< fewest responses per class; fewer is a problem of that value and condition
    double held_out = 0.2;         ///< share of queries kept out of the fit for the AUROC, in [0, 1)
    std::size_t bootstraps = 200;  ///< resamples of queries behind each interval; 0: no intervals
    double confidence = 0.95;      ///< of the intervals, in (0, 1)
    std::size_t split_halves = 20; ///< random halvings of the queries behind split_half_cosine
    /// More queries than this are dealt at random into so many groups, and groups are resampled and halved in their
    /// place: the cost of the intervals of |v| and of the cosines then grows no further. With G groups a standard error
    /// is itself known to about 1/sqrt(2 G), 3 % for 512, less than what 200 resamples add. The AUROC always resamples
    /// queries.
    std::size_t resample_groups = 512;
    std::uint64_t seed = 0;
    unsigned threads = 0;        ///< 0: all cores; changes nothing in the result
    std::size_t memory_mb = 256; ///< working memory aimed at: fewer threads run where they need more (at least one);
                                 ///< changes nothing in the result
};

/// An estimate with a percentile bootstrap interval; NaN where undefined.
struct Estimate {
    double value = std::numeric_limits<double>::quiet_NaN();
    double low = std::numeric_limits<double>::quiet_NaN();
    double high = std::numeric_limits<double>::quiet_NaN();
};

/// The value vector of one value and condition, with what tells how far to trust it.
/// Per-layer lists have n_layer entries; without a vector (`problem`) they are empty.
struct ValueVector {
    std::string value;
    Condition condition = Condition::intrinsic;
    std::string problem; ///< why there is no vector (too few of a class); empty when there is one
    std::string note;    ///< what is missing beside the vector (no AUROC, and why); empty when nothing is
    std::size_t n_expressing = 0;
    std::size_t n_not_expressing = 0;
    std::vector<float>
        vector; ///< [n_layer, n_embd], mean(expressing) - mean(not expressing) over ALL labelled responses

    /// |v|, interval by resampling queries (percentile bootstrap). A difference of noisy means is longer than the
    /// difference of the true means (E|v|^2 = |true v|^2 + the variance of both means), and a resample adds that
    /// variance once more: the interval is biased upward and may lie wholly above the estimate where responses are few
    /// against n_embd. Read it as spread, and use split_half_cosine and auroc to tell signal from noise.
    std::vector<Estimate> norm;
    std::vector<double> split_half_cosine; ///< mean cosine of the vectors of two random halves of the queries
    std::vector<Estimate>
        auroc; ///< of a.v on held-out queries, v refitted on the others; interval by resampling held-out queries
    std::size_t n_held_out_expressing = 0;
    std::size_t n_held_out_not_expressing = 0;
};

/// All value vectors of one model, and what they rest on.
struct ValueVectorSet {
    Provenance provenance;
    VectorOptions options; ///< what they were computed with; threads and memory_mb are not kept in files
    std::size_t n_layer = 0;
    std::size_t n_embd = 0;
    std::size_t n_responses = 0;      ///< with activations, labelled or not
    std::size_t n_queries = 0;        ///< of labelled responses
    std::vector<std::string> notes;   ///< what was left out on the way in, counted (labels without activations, ...)
    std::vector<std::string> values;  ///< concept ids in order
    std::vector<ValueVector> vectors; ///< values x {intrinsic, prompted}, value-major
    std::vector<float> resid_norm;    ///< [n_layer] the unit of `unit=resid`: mean over all responses of |a|, a the
                                      ///< response's mean activation
    std::vector<Estimate> condition_cosine; ///< [n_value, n_layer] cos(v_int, v_prompted), both resampled together; NaN
                                            ///< where one is missing
};

/// Value vectors from activation files (the shards of a capture) and labels.jsonl, joined by response id.
///
/// `values`: the concept ids, in the order of the result; empty: those of the labels, sorted. Labels without
/// activations and activations without labels are counted in `notes` and reported to `progress`. Throws
/// Error(bad_input): a file that cannot be used, a label for another value, a response labelled under two conditions or
/// with two queries, no label that matches an activation, or no value with enough responses; Error(usage): an option
/// out of its range; Error(interrupted).
ValueVectorSet vectors_from_files(const std::vector<std::filesystem::path> & activations,
                                  const std::filesystem::path & labels, const std::vector<std::string> & values = {},
                                  const VectorOptions & options = {}, ProgressSink & progress = silent_progress(),
                                  std::stop_token stop = {});

/// Writes vectors.safetensors: `<value>/<condition>` [n_layer, n_embd] F32 (absent where there is a problem),
/// `resid_norm` [n_layer], and in the metadata the provenance and `stats`, all else as compact JSON (estimates as
/// [value, low, high], NaN as null). The file appears whole or not at all; equal sets give equal bytes.
void write_value_vectors(const std::filesystem::path & path, const ValueVectorSet & set);

/// Reads it back. A file without `stats` (made elsewhere) is taken with its tensors alone: values in the order of the
/// tensors, counts 0, statistics NaN. Throws Error(bad_input) naming the file and the tensor or key.
ValueVectorSet read_value_vectors(const std::filesystem::path & path);

} // namespace valuelens
