#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace valuelens {

/// Area under the ROC curve = P(score of a positive > score of a negative) + P(equal) / 2 (Mann-Whitney). Sorts once,
/// so that many weightings of the same scores (bootstrap resamples) cost one linear pass each. Const functions are
/// thread-safe.
class Auroc {
public:
    /// `positive[i]` != 0: item i is of the positive class. Both spans have one entry per item.
    Auroc(std::span<const double> scores, std::span<const std::uint8_t> positive);

    /// The area with each item once. NaN where a class is empty or a score is NaN.
    double value() const;

    /// The area with item i counted `weights[i]` times. NaN where a class has no weight or a score (of whatever weight)
    /// is NaN.
    double value(std::span<const std::uint32_t> weights) const;

private:
    template <typename Weight>
    double area(Weight weight) const;

    struct Item {
        std::size_t index;
        bool positive;
        bool ends_tie; ///< the last item of a run of equal scores
    };
    std::vector<Item> items_; ///< by ascending score
    bool undefined_ = false;  ///< a score is NaN
};

/// Auroc(scores, positive).value().
double auroc(std::span<const double> scores, std::span<const std::uint8_t> positive);

} // namespace valuelens
