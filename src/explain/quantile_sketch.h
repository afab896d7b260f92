#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace valuelens {

/// Quantiles of a stream of floats in constant memory: counts of buckets that split each factor of two into 32 equal
/// parts, so that a quantile is off by at most 1/64 of itself (1.6 %). Magnitudes below 2^-14 count as 0, those of 2^14
/// and more as the last bucket.
class QuantileSketch {
public:
    static constexpr int lowest = -14;
    static constexpr int highest = 14;
    static constexpr std::size_t parts = 32;
    static constexpr std::size_t per_sign = static_cast<std::size_t>(highest - lowest) * parts;
    static constexpr std::size_t size = 2 * per_sign + 1; ///< most negative first, zero in the middle

    void add(float value) { ++counts[bucket(value)]; }

    std::uint64_t n() const {
        std::uint64_t sum = 0;
        for (const std::uint64_t count : counts) {
            sum += count;
        }
        return sum;
    }

    /// The value below which a share q in [0, 1] lies (lower order statistic), to the middle of its bucket. NaN where
    /// nothing was added.
    double quantile(double q) const {
        const std::uint64_t total = n();
        if (total == 0) {
            return std::nan("");
        }
        const auto rank = static_cast<std::uint64_t>(q * static_cast<double>(total - 1));
        std::uint64_t seen = 0;
        std::size_t at = 0;
        for (; at + 1 < size; ++at) {
            seen += counts[at];
            if (seen > rank) {
                break;
            }
        }
        return middle(at);
    }

    std::array<std::uint64_t, size> counts{};

private:
    static std::size_t bucket(float value) {
        const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
        const int exponent = static_cast<int>((bits >> 23) & 0xff) - 127;
        if (exponent < lowest) {
            return per_sign;
        }
        std::size_t at = per_sign - 1;
        if (exponent < highest) {
            at = static_cast<std::size_t>(exponent - lowest) * parts + ((bits >> 18) & (parts - 1));
        }
        return (bits >> 31) != 0 ? per_sign - 1 - at : per_sign + 1 + at;
    }

    static double middle(std::size_t at) {
        if (at == per_sign) {
            return 0;
        }
        const bool negative = at < per_sign;
        const std::size_t magnitude = negative ? per_sign - 1 - at : at - per_sign - 1;
        const double power = std::ldexp(1.0, lowest + static_cast<int>(magnitude / parts));
        const double value = power * (1 + (static_cast<double>(magnitude % parts) + 0.5) / static_cast<double>(parts));
        return negative ? -value : value;
    }
};

} // namespace valuelens
