#include "evaluate/ngrams.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

namespace valuelens {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

} // namespace

NgramCounts count_ngrams(std::span<const TextWords> texts, std::size_t n) {
    std::map<TextWords, std::size_t> counts;
    NgramCounts result;
    for (const TextWords & text : texts) {
        for (std::size_t first = 0; first + n <= text.size(); ++first) {
            const auto begin = text.begin() + static_cast<std::ptrdiff_t>(first);
            ++counts[TextWords(begin, begin + static_cast<std::ptrdiff_t>(n))];
            ++result.total;
        }
    }
    result.distinct = counts.size();
    for (const auto & [ngram, count] : counts) {
        const double p = static_cast<double>(count) / static_cast<double>(result.total);
        result.entropy -= p * std::log2(p);
    }
    result.entropy = std::max(0.0, result.entropy);
    return result;
}

double distinct_share(const NgramCounts & counts) {
    return counts.total == 0 ? nan : static_cast<double>(counts.distinct) / static_cast<double>(counts.total);
}

double expectation_adjusted_distinct(const NgramCounts & counts, std::size_t vocabulary) {
    if (counts.total == 0) {
        return nan;
    }
    const auto v = static_cast<double>(vocabulary);
    const double expected = -v * std::expm1(static_cast<double>(counts.total) * std::log1p(-1 / v));
    return static_cast<double>(counts.distinct) / expected;
}

double mean_pairwise_cosine_distance(std::span<const std::vector<float>> vectors) {
    // With unit vectors u, the cosines of all ordered pairs add up to |sum u|^2 - n.
    if (vectors.size() < 2) {
        return nan;
    }
    std::vector<double> sum(vectors.front().size(), 0);
    for (const std::vector<float> & vector : vectors) {
        double square = 0;
        for (const float x : vector) {
            square += static_cast<double>(x) * static_cast<double>(x);
        }
        if (!(square > 0)) {
            return nan;
        }
        for (std::size_t i = 0; i < sum.size(); ++i) {
            sum[i] += static_cast<double>(vector[i]) / std::sqrt(square);
        }
    }
    double square = 0;
    for (const double x : sum) {
        square += x * x;
    }
    const auto n = static_cast<double>(vectors.size());
    return 1 - (square - n) / (n * (n - 1));
}

} // namespace valuelens
