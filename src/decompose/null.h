#pragma once

#include <cmath>
#include <span>

#include "math/bootstrap.h"
#include "valuelens/decompose.h"

namespace valuelens {

/// Mean and interval of a statistic's draws under chance. Undefined (NaN) draws are left out; all is NaN where more
/// than half are, or without draws.
inline Null null_of(std::span<const double> draws, double confidence) {
    const Interval interval = percentile_interval(draws, confidence);
    if (std::isnan(interval.low)) {
        return {};
    }
    double sum = 0;
    double defined = 0;
    for (const double draw : draws) {
        if (!std::isnan(draw)) {
            sum += draw;
            ++defined;
        }
    }
    return {sum / defined, interval.low, interval.high};
}

} // namespace valuelens
