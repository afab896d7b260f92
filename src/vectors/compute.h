#pragma once

#include <cstddef>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "valuelens/progress.h"
#include "valuelens/vectors.h"

namespace valuelens {

/// Response means of `resid_post`, however they are stored. All members are safe for concurrent calls.
class ActivationSource {
public:
    virtual ~ActivationSource() = default;
    virtual std::size_t n_rows() const = 0; ///< responses
    virtual std::size_t n_layer() const = 0;
    virtual std::size_t n_embd() const = 0;
    virtual Provenance provenance() const = 0;

    /// Identifies a response, uniquely.
    virtual std::string id(std::size_t row) const = 0;

    /// The mean of one response at one layer into `out` [n_embd].
    virtual void read(std::size_t row, std::size_t layer, std::span<float> out) const = 0;
};

/// What the judge decided about one response.
struct LabelledResponse {
    std::size_t row = 0; ///< in the source
    std::string query; ///< responses to one query are resampled and held out together; empty: the response stands alone
    Condition condition = Condition::intrinsic;
    std::vector<std::pair<std::size_t, bool>> labels; ///< (position of the value, expresses), each value at most once
};

/// Value vectors with their statistics (design: Extraction), from activations and labels.
///
/// v is the mean over expressing minus the mean over not expressing responses, per value, condition and layer. A value
/// and condition with fewer than options.min_count responses of either class gets a `problem`; the others go on. The
/// same seeded split and resamples of queries serve all values and conditions. The work goes layer by layer and value
/// by value, each part reading its slice of the source by itself: the bytes of the result depend neither on threads nor
/// on memory_mb, and the order of responses changes nothing but the rounding of sums in double.
///
/// Throws Error(bad_input) where no value has a vector or an activation is not finite, Error(usage) for options out of
/// range, Error(interrupted) on a stop request.
ValueVectorSet compute_value_vectors(const ActivationSource & source, std::span<const LabelledResponse> responses,
                                     const std::vector<std::string> & values, const VectorOptions & options,
                                     ProgressSink & progress = silent_progress(), std::stop_token stop = {});

} // namespace valuelens
