#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "valuelens/explain.h"

namespace valuelens {

using TokenCounts = std::map<Token, std::uint64_t>;

/// Which tokens one set of texts has more of than another: log-odds ratio with an informative Dirichlet prior (Monroe,
/// Colaresi and Quinn 2008), divided by its standard deviation. The prior has the shares of `background` and weighs
/// `prior_tokens`; tokens that the background lacks are left out. Descending z, then ascending token; the first `n`
/// with z > 0.
std::vector<std::pair<Token, double>> over_represented(const TokenCounts & here, const TokenCounts & elsewhere,
                                                       const TokenCounts & background, double prior_tokens,
                                                       std::size_t n);

/// One pole for the comparison of categories.
struct ComparedPole {
    std::vector<std::string> categories; ///< of its neuron, each once
    std::size_t neuron = 0;              ///< both poles of a neuron are resampled together
    const Explanation * explanation = nullptr;
    std::span<const Excerpt> excerpts; ///< its top ones
};

/// Means over the poles of each category, with intervals from resampling neurons, and the tokens that its excerpts have
/// more of than those of the other categories. An excerpt counts once in a category. `background`: tokens of random
/// excerpts, to which those of all poles are added. `text_of` gives a token's text. Categories in order of first
/// appearance.
std::vector<CategorySummary> compare_categories(std::span<const ComparedPole> poles, TokenCounts background,
                                                const std::function<std::string(Token)> & text_of,
                                                const ExplainOptions & options);

} // namespace valuelens
