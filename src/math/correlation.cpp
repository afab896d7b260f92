#include "math/correlation.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "math/vector_ops.h"

namespace valuelens {
namespace {

std::vector<double> centred(std::span<const double> values) {
    const double mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
    std::vector<double> result(values.begin(), values.end());
    for (double & value : result) {
        value -= mean;
    }
    return result;
}

std::vector<double> ranks(std::span<const double> values) {
    std::vector<std::size_t> order(values.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return values[i] < values[j]; });
    std::vector<double> result(values.size());
    for (std::size_t begin = 0; begin < order.size();) {
        std::size_t end = begin + 1;
        while (end < order.size() && values[order[end]] == values[order[begin]]) {
            ++end;
        }
        for (std::size_t i = begin; i < end; ++i) {
            result[order[i]] = static_cast<double>(begin + end - 1) / 2;
        }
        begin = end;
    }
    return result;
}

bool finite(std::span<const double> values) {
    return std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); });
}

} // namespace

double pearson(std::span<const double> a, std::span<const double> b) {
    assert(a.size() == b.size());
    const auto is_constant = [](std::span<const double> values) {
        return std::all_of(values.begin(), values.end(), [&](double value) { return value == values.front(); });
    };
    if (a.size() < 2 || !finite(a) || !finite(b) || is_constant(a) || is_constant(b)) {
        return std::numeric_limits<double>::quiet_NaN();
    }
    return cosine(centred(a), centred(b));
}

double spearman(std::span<const double> a, std::span<const double> b) {
    if (!finite(a) || !finite(b)) {
        return std::numeric_limits<double>::quiet_NaN();
    }
    return pearson(ranks(a), ranks(b));
}

} // namespace valuelens
