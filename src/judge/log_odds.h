#pragma once

#include <algorithm>
#include <cmath>

namespace valuelens {

/// log(p / (1 - p)), p kept 1e-9 away from 0 and 1 so that a certain answer stays finite. NaN stays NaN.
inline double log_odds(double probability) {
    const double p = std::isnan(probability) ? probability : std::clamp(probability, 1e-9, 1 - 1e-9);
    return std::log(p / (1 - p));
}

/// The reverse.
inline double probability_of(double odds) {
    return 1 / (1 + std::exp(-odds));
}

} // namespace valuelens
