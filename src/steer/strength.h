#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace valuelens {

/// Strengths on one side of the one that changes nothing, and what each costs.
struct StrengthCost {
    double distance = 0; ///< from the strength that changes nothing
    double drop = 0;     ///< NaN: not known
};

/// The position of the strongest that costs less than `max_drop` together with all that are weaker: a strength that
/// looks harmless beyond one that is not rests on noise. Nothing: not even the weakest. A drop that is not known counts
/// as too much.
std::optional<std::size_t> strongest_below(std::span<const StrengthCost> costs, double max_drop);

/// A range of blocks and the mean of a score over them.
struct ScoredRange {
    int first = 0;
    int last = 0;
    double score = 0;
};

/// The `count` best windows of `width` neighbouring blocks by mean score, no two of which overlap, best first; equal
/// ones in the order of blocks. Windows with a score that is NaN are passed over; fewer come where no more fit.
std::vector<ScoredRange> best_windows(std::span<const double> scores, int width, std::size_t count);

} // namespace valuelens
