#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace valuelens {

/// Mean of vectors that arrive one by one, summed in double. Not thread-safe; use one per thread and merge() in a fixed
/// order.
class RunningMean {
public:
    explicit RunningMean(std::size_t size) : sum_(size, 0.0) {}

    /// Adds one vector of the size given at construction.
    void add(std::span<const float> vector) {
        assert(vector.size() == sum_.size());
        for (std::size_t i = 0; i < sum_.size(); ++i) {
            sum_[i] += vector[i];
        }
        ++count_;
    }

    /// Adds what another mean of the same size has seen.
    void merge(const RunningMean & other) {
        assert(other.sum_.size() == sum_.size());
        for (std::size_t i = 0; i < sum_.size(); ++i) {
            sum_[i] += other.sum_[i];
        }
        count_ += other.count_;
    }

    std::size_t size() const { return sum_.size(); }
    std::uint64_t count() const { return count_; }
    std::span<const double> sum() const { return sum_; }

    /// The mean; all NaN while nothing was added.
    std::vector<double> mean() const {
        std::vector<double> result(sum_.size(), std::numeric_limits<double>::quiet_NaN());
        if (count_ > 0) {
            for (std::size_t i = 0; i < sum_.size(); ++i) {
                result[i] = sum_[i] / static_cast<double>(count_);
            }
        }
        return result;
    }

private:
    std::vector<double> sum_;
    std::uint64_t count_ = 0;
};

} // namespace valuelens
