#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace valuelens {

/// One bootstrap resample of `n_groups` groups (queries): how often each was drawn when n_groups are drawn with
/// replacement; the counts add up to n_groups. The stream depends only on (seed, resample), so resamples may be made in
/// any order and on any thread.
std::vector<std::uint32_t> bootstrap_weights(std::size_t n_groups, std::size_t resample, std::uint64_t seed);

/// The q-quantile, q in [0, 1], with linear interpolation between order statistics (numpy's default). NaN for an
/// empty list or one that holds a NaN.
double quantile(std::vector<double> values, double q);

struct Interval {
    double low = std::numeric_limits<double>::quiet_NaN();
    double high = std::numeric_limits<double>::quiet_NaN();
};

/// Percentile bootstrap interval: the (1 - confidence)/2 and (1 + confidence)/2 quantiles of the resampled estimates.
/// Resamples where the statistic is undefined (NaN) are left out; where more than half are, so is the interval (NaN).
Interval percentile_interval(std::span<const double> estimates, double confidence);

} // namespace valuelens
