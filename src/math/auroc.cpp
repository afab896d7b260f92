#include "math/auroc.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

namespace valuelens {

Auroc::Auroc(std::span<const double> scores, std::span<const std::uint8_t> positive) {
    assert(scores.size() == positive.size());
    undefined_ = std::any_of(scores.begin(), scores.end(), [](double score) { return std::isnan(score); });
    if (undefined_) {
        return;
    }
    std::vector<std::size_t> order(scores.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
        order[i] = i;
    }
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
    items_.reserve(order.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
        const bool ends_tie = i + 1 == order.size() || scores[order[i]] < scores[order[i + 1]];
        items_.push_back({order[i], positive[order[i]] != 0, ends_tie});
    }
}

template <typename Weight>
double Auroc::area(Weight weight) const {
    if (undefined_) {
        return std::numeric_limits<double>::quiet_NaN();
    }
    // Twice the Mann-Whitney U, in whole numbers: each positive beats the negatives below its tie and halves those in
    // it.
    std::uint64_t twice_u = 0;
    std::uint64_t positives = 0;
    std::uint64_t negatives = 0;
    std::uint64_t tied_positives = 0;
    std::uint64_t tied_negatives = 0;
    for (const Item & item : items_) {
        (item.positive ? tied_positives : tied_negatives) += weight(item.index);
        if (item.ends_tie) {
            twice_u += tied_positives * (2 * negatives + tied_negatives);
            positives += tied_positives;
            negatives += tied_negatives;
            tied_positives = tied_negatives = 0;
        }
    }
    if (positives == 0 || negatives == 0) {
        return std::numeric_limits<double>::quiet_NaN();
    }
    return static_cast<double>(twice_u) / (2.0 * static_cast<double>(positives) * static_cast<double>(negatives));
}

double Auroc::value() const {
    return area([](std::size_t) { return std::uint64_t{1}; });
}

double Auroc::value(std::span<const std::uint32_t> weights) const {
    assert(undefined_ || weights.size() == items_.size());
    return area([&](std::size_t index) { return std::uint64_t{weights[index]}; });
}

double auroc(std::span<const double> scores, std::span<const std::uint8_t> positive) {
    return Auroc(scores, positive).value();
}

} // namespace valuelens
