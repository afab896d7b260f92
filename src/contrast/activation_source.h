#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "valuelens/records.h"
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

} // namespace valuelens
