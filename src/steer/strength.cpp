#include "steer/strength.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace valuelens {

std::optional<std::size_t> strongest_below(std::span<const StrengthCost> costs, double max_drop) {
    std::vector<std::size_t> order(costs.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return costs[a].distance < costs[b].distance; });
    std::optional<std::size_t> strongest;
    for (const std::size_t i : order) {
        if (!(costs[i].drop < max_drop)) {
            break;
        }
        strongest = i;
    }
    return strongest;
}

std::vector<ScoredRange> best_windows(std::span<const double> scores, int width, std::size_t count) {
    std::vector<ScoredRange> windows;
    const auto n = static_cast<int>(scores.size());
    for (int first = 0; first + width <= n; ++first) {
        const auto window = scores.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(width));
        const double mean = std::accumulate(window.begin(), window.end(), 0.0) / width;
        if (!std::isnan(mean)) {
            windows.push_back({first, first + width - 1, mean});
        }
    }
    std::stable_sort(windows.begin(), windows.end(),
                     [](const ScoredRange & a, const ScoredRange & b) { return a.score > b.score; });
    std::vector<ScoredRange> chosen;
    for (const ScoredRange & window : windows) {
        const bool apart = std::all_of(chosen.begin(), chosen.end(), [&](const ScoredRange & other) {
            return window.last < other.first || other.last < window.first;
        });
        if (apart && chosen.size() < count) {
            chosen.push_back(window);
        }
    }
    return chosen;
}

} // namespace valuelens
