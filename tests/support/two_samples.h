#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

namespace valuelens {

/// Kolmogorov-Smirnov distance of two samples: the greatest difference of their distribution functions.
inline double sample_distance(std::vector<double> a, std::vector<double> b) {
    std::sort(a.begin(), a.end());
    std::sort(b.begin(), b.end());
    double distance = 0;
    std::size_t i = 0;
    std::size_t j = 0;
    while (i < a.size() && j < b.size()) {
        const double x = std::min(a[i], b[j]);
        while (i < a.size() && a[i] == x) {
            ++i;
        }
        while (j < b.size() && b[j] == x) {
            ++j;
        }
        distance = std::max(distance, std::abs(double(i) / double(a.size()) - double(j) / double(b.size())));
    }
    return distance;
}

/// The distance that two samples of one distribution exceed with a chance of 1e-4 (for large samples).
inline double largest_chance_distance(std::size_t n, std::size_t m) {
    return std::sqrt(-0.5 * std::log(0.5e-4)) * std::sqrt(double(n + m) / double(n) / double(m));
}

} // namespace valuelens
