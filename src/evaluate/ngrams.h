#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace valuelens {

/// A text as its words.
using TextWords = std::vector<std::string>;

/// The n-grams of some texts; none reaches from one text into the next.
struct NgramCounts {
    std::size_t distinct = 0; ///< N: different ones
    std::size_t total = 0;    ///< C: all
    double entropy = 0;       ///< of their distribution, in bits; 0 for none
};

NgramCounts count_ngrams(std::span<const TextWords> texts, std::size_t n);

/// Distinct-n (Li et al. 2016): N / C. NaN where there are no n-grams.
double distinct_share(const NgramCounts & counts);

/// Expectation-adjusted distinct (Liu et al. 2022): N over the number of different n-grams that C draws from
/// `vocabulary` (V, at least 1) equally likely ones would have, N / (V (1 - ((V - 1) / V)^C)). NaN where there are no
/// n-grams.
double expectation_adjusted_distinct(const NgramCounts & counts, std::size_t vocabulary);

/// Mean over all pairs of 1 - cosine, from 0 to 2. NaN for fewer than two vectors, or where one is zero.
double mean_pairwise_cosine_distance(std::span<const std::vector<float>> vectors);

} // namespace valuelens
