#include "contrast/query_plan.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <string>

#include "base/random.h"
#include "math/bootstrap.h"

namespace valuelens {
namespace {

std::vector<std::size_t> shuffled(std::size_t n, std::uint64_t seed) {
    std::vector<std::size_t> order(n);
    std::iota(order.begin(), order.end(), std::size_t{0});
    Rng rng(seed);
    rng.shuffle(order);
    return order;
}

} // namespace

QueryPlan::QueryPlan(std::span<const LabelledResponse> responses, const ActivationSource & source,
                     const QueryPlanOptions & options)
    : n_bootstrap(options.bootstraps), n_split(options.split_halves) {
    // Number the queries by name; a response without one stands for itself.
    std::map<std::pair<bool, std::string>, std::uint32_t> numbers;
    const auto name = [&](const LabelledResponse & response) {
        const bool alone = response.query.empty();
        return std::pair(alone, alone ? source.id(response.row) : response.query);
    };
    for (const LabelledResponse & response : responses) {
        numbers.emplace(name(response), 0);
    }
    for (auto & [key, number] : numbers) {
        number = static_cast<std::uint32_t>(n_query++);
    }
    query_of.reserve(responses.size());
    for (const LabelledResponse & response : responses) {
        query_of.push_back(numbers.at(name(response)));
    }

    // Hold out a seeded share of the queries.
    const auto n_held_out = static_cast<std::size_t>(std::llround(options.held_out * static_cast<double>(n_query)));
    const std::vector<std::size_t> split = shuffled(n_query, derive_seed(options.seed, "held-out"));
    held_out_of.assign(n_query, fitted);
    for (std::size_t i = 0; i < n_held_out; ++i) {
        held_out_of[split[i]] = static_cast<std::int32_t>(i);
    }

    // Deal the queries into groups where there are many.
    const std::size_t n_group = std::min(n_query, options.resample_groups);
    group_of.resize(n_query);
    if (n_group == n_query) {
        std::iota(group_of.begin(), group_of.end(), 0U);
    } else {
        const std::vector<std::size_t> deal = shuffled(n_query, derive_seed(options.seed, "groups"));
        for (std::size_t i = 0; i < n_query; ++i) {
            group_of[deal[i]] = static_cast<std::uint32_t>(i % n_group);
        }
    }

    // Draw the resamples and the halves.
    group_weights =
        RowMatrix::Zero(static_cast<Eigen::Index>(n_bootstrap + 2 * n_split), static_cast<Eigen::Index>(n_group));
    const std::uint64_t resample_seed = derive_seed(options.seed, "bootstrap");
    const std::uint64_t held_out_seed = derive_seed(options.seed, "held-out bootstrap");
    for (std::size_t b = 0; b < n_bootstrap; ++b) {
        const std::vector<std::uint32_t> weights = bootstrap_weights(n_group, b, resample_seed);
        for (std::size_t group = 0; group < n_group; ++group) {
            group_weights(static_cast<Eigen::Index>(b), static_cast<Eigen::Index>(group)) = weights[group];
        }
        held_out_weights.push_back(bootstrap_weights(n_held_out, b, held_out_seed));
    }
    for (std::size_t half = 0; half < n_split; ++half) {
        const std::vector<std::size_t> order =
            shuffled(n_group, derive_seed(derive_seed(options.seed, "split-half"), std::to_string(half)));
        const std::size_t first = n_bootstrap + 2 * half;
        for (std::size_t i = 0; i < n_group; ++i) {
            group_weights(static_cast<Eigen::Index>(first + i % 2), static_cast<Eigen::Index>(order[i])) = 1;
        }
    }
}

} // namespace valuelens
