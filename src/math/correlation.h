#pragma once

#include <span>

namespace valuelens {

/// Pearson's correlation of paired numbers, in [-1, 1]. NaN for fewer than 2 pairs, where one side is constant, or with
/// a number that is not finite.
double pearson(std::span<const double> a, std::span<const double> b);

/// Spearman's: Pearson's of the ranks, equal numbers sharing the mean of their ranks. NaN as pearson().
double spearman(std::span<const double> a, std::span<const double> b);

} // namespace valuelens
