#include "neurons/hypergeometric.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace valuelens {

namespace {

double log_choose(double n, double k) {
    return std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1);
}

} // namespace

double hypergeometric_tail(std::size_t common, std::size_t n, std::size_t a, std::size_t b) {
    assert(a <= n && b <= n);
    const std::size_t lowest = a + b > n ? a + b - n : 0;
    const std::size_t highest = std::min(a, b);
    if (common <= lowest) {
        return 1;
    }
    if (common > highest) {
        return 0;
    }
    const auto total = static_cast<double>(n);
    const auto of_a = static_cast<double>(a);
    const auto of_b = static_cast<double>(b);
    const auto probability = [&](double x) {
        return std::exp(log_choose(of_a, x) + log_choose(total - of_a, of_b - x) - log_choose(total, of_b));
    };
    /// p(x + 1) / p(x)
    const auto ratio = [&](double x) {
        return (of_a - x) * (of_b - x) / ((x + 1) * (total - of_a - of_b + x + 1));
    };
    // Away from the mode the terms fall: sum from `common` outwards, on the side where the mode is not.
    constexpr double negligible = 1e-17;
    const auto x = static_cast<double>(common);
    double term = 1;
    double sum = 1;
    if (ratio(x) < 1) {
        for (double at = x; at < static_cast<double>(highest) && term > negligible * sum; ++at) {
            term *= ratio(at);
            sum += term;
        }
        return std::min(1.0, probability(x) * sum);
    }
    for (double at = x - 1; at > static_cast<double>(lowest) && term > negligible * sum; --at) {
        term /= ratio(at - 1);
        sum += term;
    }
    return std::max(0.0, 1 - probability(x - 1) * sum);
}

} // namespace valuelens
