#pragma once

#include <cstdint>
#include <limits>

namespace valuelens {

/// How often a yes/no classifier was right and wrong.
struct ClassificationCounts {
    std::uint64_t true_positive = 0;
    std::uint64_t false_positive = 0;
    std::uint64_t true_negative = 0;
    std::uint64_t false_negative = 0;

    /// Counts one item `weight` times (a bootstrap resample).
    void add(bool truth, bool predicted, std::uint64_t weight = 1) {
        if (truth) {
            (predicted ? true_positive : false_negative) += weight;
        } else {
            (predicted ? false_positive : true_negative) += weight;
        }
    }
};

namespace detail {
inline double ratio(std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? std::numeric_limits<double>::quiet_NaN()
                      : static_cast<double>(part) / static_cast<double>(whole);
}
} // namespace detail

/// TP / (TP + FP); NaN where nothing was predicted positive.
inline double precision(const ClassificationCounts & counts) {
    return detail::ratio(counts.true_positive, counts.true_positive + counts.false_positive);
}

/// TP / (TP + FN); NaN where nothing is positive.
inline double recall(const ClassificationCounts & counts) {
    return detail::ratio(counts.true_positive, counts.true_positive + counts.false_negative);
}

/// Harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN); NaN where nothing is or was predicted positive.
inline double f1_score(const ClassificationCounts & counts) {
    const std::uint64_t twice = 2 * counts.true_positive;
    return detail::ratio(twice, twice + counts.false_positive + counts.false_negative);
}

/// (TP + TN) / all; NaN where there are none.
inline double accuracy(const ClassificationCounts & counts) {
    const std::uint64_t right = counts.true_positive + counts.true_negative;
    return detail::ratio(right, right + counts.false_positive + counts.false_negative);
}

} // namespace valuelens
