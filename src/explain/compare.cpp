#include "explain/compare.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/random.h"
#include "math/bootstrap.h"

namespace valuelens {

namespace {

constexpr double prior_weight = 500; // tokens
constexpr std::size_t listed_tokens = 15;

std::uint64_t sum_of(const TokenCounts & counts) {
    std::uint64_t sum = 0;
    for (const auto & [token, count] : counts) {
        sum += count;
    }
    return sum;
}

std::uint64_t count_of(const TokenCounts & counts, Token token) {
    const auto found = counts.find(token);
    return found == counts.end() ? 0 : found->second;
}

/// A number of one pole, of the neuron at that place among those of its category.
struct Entry {
    std::size_t neuron = 0;
    double value = 0;
};

Estimate mean_over(std::span<const Entry> entries, const ExplainOptions & options, const std::string & name) {
    Estimate estimate;
    if (entries.empty()) {
        return estimate;
    }
    std::map<std::size_t, std::size_t> places;
    double sum = 0;
    for (const Entry & entry : entries) {
        places.try_emplace(entry.neuron, places.size());
        sum += entry.value;
    }
    estimate.value = sum / static_cast<double>(entries.size());
    if (places.size() < 2 || options.bootstraps == 0) {
        return estimate;
    }
    std::vector<double> means;
    for (std::size_t b = 0; b < options.bootstraps; ++b) {
        const std::vector<std::uint32_t> weights =
            bootstrap_weights(places.size(), b, derive_seed(options.harvest.seed, "explain/category " + name));
        double weighted = 0;
        double weight = 0;
        for (const Entry & entry : entries) {
            const double times = weights[places.at(entry.neuron)];
            weighted += times * entry.value;
            weight += times;
        }
        means.push_back(weight > 0 ? weighted / weight : std::nan(""));
    }
    const Interval interval = percentile_interval(means, options.confidence);
    estimate.low = interval.low;
    estimate.high = interval.high;
    return estimate;
}

/// Tokens of all excerpts of a category, each excerpt once.
TokenCounts tokens_of(std::span<const ComparedPole> poles, const std::string & category, bool inside) {
    std::set<std::uint64_t> seen;
    TokenCounts counts;
    for (const ComparedPole & pole : poles) {
        const bool is_inside =
            std::find(pole.categories.begin(), pole.categories.end(), category) != pole.categories.end();
        if (is_inside != inside) {
            continue;
        }
        for (const Excerpt & excerpt : pole.excerpts) {
            if (seen.insert(excerpt.window).second) {
                for (const Token token : excerpt.tokens) {
                    ++counts[token];
                }
            }
        }
    }
    return counts;
}

CategorySummary summarise(std::span<const ComparedPole> poles, const std::string & category,
                          const ExplainOptions & options) {
    CategorySummary summary;
    summary.category = category;
    std::vector<Entry> abstractness;
    std::vector<Entry> relevance;
    std::map<std::string, std::vector<Entry>> scores;
    std::map<std::string, std::vector<Entry>> baselines;
    for (const ComparedPole & pole : poles) {
        if (std::find(pole.categories.begin(), pole.categories.end(), category) == pole.categories.end()) {
            continue;
        }
        ++summary.n_poles;
        const Explanation & explanation = *pole.explanation;
        summary.n_explained += explanation.text.empty() ? 0 : 1;
        if (explanation.abstractness) {
            abstractness.push_back({pole.neuron, *explanation.abstractness});
        }
        if (explanation.value_relevance) {
            relevance.push_back({pole.neuron, *explanation.value_relevance});
        }
        for (const ExplanationScore & score : explanation.scores) {
            if (std::isfinite(score.value.value)) {
                scores[to_string(score.kind)].push_back({pole.neuron, score.value.value});
            }
            if (score.baseline && std::isfinite(score.baseline->value)) {
                baselines[to_string(score.kind)].push_back({pole.neuron, score.baseline->value});
            }
        }
    }
    summary.abstractness = mean_over(abstractness, options, category + "/abstractness");
    summary.value_relevance = mean_over(relevance, options, category + "/value relevance");
    for (const auto & [kind, entries] : scores) {
        summary.scores[kind] = mean_over(entries, options, category + "/" + kind);
    }
    for (const auto & [kind, entries] : baselines) {
        summary.baselines[kind] = mean_over(entries, options, category + "/" + kind);
    }
    return summary;
}

} // namespace

std::vector<std::pair<Token, double>> over_represented(const TokenCounts & here, const TokenCounts & elsewhere,
                                                       const TokenCounts & background, double prior_tokens,
                                                       std::size_t n) {
    const auto n_here = static_cast<double>(sum_of(here));
    const auto n_elsewhere = static_cast<double>(sum_of(elsewhere));
    const auto n_background = static_cast<double>(sum_of(background));
    std::vector<std::pair<Token, double>> found;
    for (const auto & [token, count] : here) {
        const double prior = prior_tokens * static_cast<double>(count_of(background, token)) / n_background;
        if (!(prior > 0)) {
            continue;
        }
        const double y = static_cast<double>(count) + prior;
        const double other = static_cast<double>(count_of(elsewhere, token)) + prior;
        const double log_odds =
            std::log(y / (n_here + prior_tokens - y)) - std::log(other / (n_elsewhere + prior_tokens - other));
        const double z = log_odds / std::sqrt(1 / y + 1 / other);
        if (z > 0) {
            found.emplace_back(token, z);
        }
    }
    std::sort(found.begin(), found.end(), [](const auto & a, const auto & b) {
        return a.second != b.second ? a.second > b.second : a.first < b.first;
    });
    found.resize(std::min(n, found.size()));
    return found;
}

std::vector<CategorySummary> compare_categories(std::span<const ComparedPole> poles, TokenCounts background,
                                                const std::function<std::string(Token)> & text_of,
                                                const ExplainOptions & options) {
    std::vector<std::string> categories;
    for (const ComparedPole & pole : poles) {
        for (const std::string & category : pole.categories) {
            if (std::find(categories.begin(), categories.end(), category) == categories.end()) {
                categories.push_back(category);
            }
        }
        for (const Excerpt & excerpt : pole.excerpts) {
            for (const Token token : excerpt.tokens) {
                ++background[token];
            }
        }
    }
    std::vector<CategorySummary> summaries;
    for (const std::string & category : categories) {
        CategorySummary & summary = summaries.emplace_back(summarise(poles, category, options));
        if (categories.size() > 1) {
            for (const auto & [token, z] :
                 over_represented(tokens_of(poles, category, true), tokens_of(poles, category, false), background,
                                  prior_weight, listed_tokens)) {
                summary.tokens.emplace_back(text_of(token), z);
            }
        }
    }
    return summaries;
}

} // namespace valuelens
