#include "math/bootstrap.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include <fmt/format.h>

#include "base/random.h"

namespace valuelens {

std::vector<std::uint32_t> bootstrap_weights(std::size_t n_groups, std::size_t resample, std::uint64_t seed) {
    Rng rng(derive_seed(seed, fmt::format("resample {}", resample)));
    std::vector<std::uint32_t> weights(n_groups, 0);
    for (std::size_t i = 0; i < n_groups; ++i) {
        ++weights[rng.below(n_groups)];
    }
    return weights;
}

double quantile(std::vector<double> values, double q) {
    assert(q >= 0 && q <= 1);
    if (values.empty() || std::any_of(values.begin(), values.end(), [](double value) { return std::isnan(value); })) {
        return std::numeric_limits<double>::quiet_NaN();
    }
    std::sort(values.begin(), values.end());
    const double position = q * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(position);
    const std::size_t above = std::min(below + 1, values.size() - 1);
    const double fraction = position - static_cast<double>(below);
    if (fraction == 0 || values[below] == values[above]) {
        return values[below];
    }
    return values[below] + fraction * (values[above] - values[below]);
}

Interval percentile_interval(std::span<const double> estimates, double confidence) {
    assert(confidence > 0 && confidence < 1);
    std::vector<double> defined;
    defined.reserve(estimates.size());
    std::copy_if(estimates.begin(), estimates.end(), std::back_inserter(defined),
                 [](double estimate) { return !std::isnan(estimate); });
    if (2 * defined.size() < estimates.size()) {
        return {};
    }
    const double tail = (1 - confidence) / 2;
    return {quantile(defined, tail), quantile(defined, 1 - tail)};
}

} // namespace valuelens
