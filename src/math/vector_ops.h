#pragma once

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>

namespace valuelens {

/// Inner product of two vectors of one size, summed in double in index order. Takes any container of float or double.
template <typename A, typename B>
double dot(const A & a, const B & b) {
    assert(std::size(a) == std::size(b));
    double sum = 0;
    for (std::size_t i = 0; i < std::size(a); ++i) {
        sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    }
    return sum;
}

/// Euclidean norm.
template <typename A>
double norm(const A & a) {
    return std::sqrt(dot(a, a));
}

/// Cosine from an inner product and two norms, in [-1, 1]; NaN where a vector is zero or not finite.
inline double cosine_of(double inner, double norm_a, double norm_b) {
    if (!(norm_a > 0) || !(norm_b > 0) || !std::isfinite(norm_a) || !std::isfinite(norm_b) || !std::isfinite(inner)) {
        return std::numeric_limits<double>::quiet_NaN();
    }
    return std::clamp(inner / norm_a / norm_b, -1.0, 1.0);
}

/// Cosine of the angle between two vectors; NaN where one is zero or not finite.
template <typename A, typename B>
double cosine(const A & a, const B & b) {
    return cosine_of(dot(a, b), norm(a), norm(b));
}

} // namespace valuelens
