#include "neurons/overlaps.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "math/parallel_for.h"
#include "neurons/categories.h"
#include "neurons/hypergeometric.h"

namespace valuelens {

namespace {

using Kind = std::optional<NeuronCategory>; ///< nothing: all kept neurons
using Set = std::vector<std::uint64_t>;     ///< ascending

std::vector<Kind> kinds_of(const NeuronOptions & options) {
    std::vector<Kind> kinds = {std::nullopt, NeuronCategory::shared, NeuronCategory::intrinsic,
                               NeuronCategory::prompted};
    if (options.anti_shared) {
        kinds.emplace_back(NeuronCategory::anti_shared);
    }
    return kinds;
}

/// [kind] the neurons of one plane.
std::vector<Set> sets_of(const std::vector<Projection> & kept, const NeuronOptions & options) {
    const std::vector<Kind> kinds = kinds_of(options);
    std::vector<Set> sets(kinds.size());
    for (const Projection & projection : kept) {
        const NeuronCategory category = category_of(angles_of(projection), options);
        for (std::size_t i = 0; i < kinds.size(); ++i) {
            if (!kinds[i] || *kinds[i] == category) {
                sets[i].push_back(projection.neuron);
            }
        }
    }
    for (Set & set : sets) {
        std::sort(set.begin(), set.end());
    }
    return sets;
}

std::size_t common_count(const Set & a, const Set & b) {
    std::size_t common = 0;
    for (auto left = a.begin(), right = b.begin(); left != a.end() && right != b.end();) {
        if (*left == *right) {
            ++common;
            ++left;
            ++right;
        } else if (*left < *right) {
            ++left;
        } else {
            ++right;
        }
    }
    return common;
}

double jaccard_of(std::size_t common, std::size_t size_a, std::size_t size_b) {
    const std::size_t all = size_a + size_b - common;
    return all == 0 ? std::numeric_limits<double>::quiet_NaN() : static_cast<double>(common) / static_cast<double>(all);
}

/// Layers and their neurons, for sets of neurons by their position in the model.
struct Layers {
    const std::vector<std::size_t> & offsets;
    const DownProjections & model;

    Set restrict(const Set & set, const std::vector<bool> & layers) const {
        Set kept;
        std::size_t matrix = 0;
        for (const std::uint64_t neuron : set) {
            while (neuron >= offsets[matrix + 1]) {
                ++matrix;
            }
            if (layers[static_cast<std::size_t>(model.matrices()[matrix].layer)]) {
                kept.push_back(neuron);
            }
        }
        return kept;
    }
};

/// [group][kind] Jaccard index between every two random planes of a group.
std::vector<std::vector<Null>> jaccard_nulls(const NeuronSurvey & survey, const NeuronOptions & options) {
    const std::size_t n_kind = kinds_of(options).size();
    std::vector<std::vector<Null>> nulls;
    for (const auto & draws : survey.draws) {
        std::vector<std::vector<Set>> sets(draws.size());
        parallel_for(draws.size(), options.threads, [&](std::size_t i) { sets[i] = sets_of(draws[i], options); });
        nulls.emplace_back(n_kind);
        parallel_for(n_kind, options.threads, [&](std::size_t kind) {
            std::vector<double> indices;
            for (std::size_t a = 0; a < sets.size(); ++a) {
                for (std::size_t b = a + 1; b < sets.size(); ++b) {
                    const Set & left = sets[a][kind];
                    const Set & right = sets[b][kind];
                    indices.push_back(jaccard_of(common_count(left, right), left.size(), right.size()));
                }
            }
            nulls.back()[kind] = null_of(indices, options.confidence);
        });
    }
    return nulls;
}

/// The q-quantile by rank q (n + 1), clamped to the draws: a further draw lies below it with probability q, where n
/// suffices.
double covering_quantile(std::vector<double> draws, double q) {
    std::sort(draws.begin(), draws.end());
    const double rank = std::clamp(q * static_cast<double>(draws.size() + 1), 1.0, static_cast<double>(draws.size()));
    const auto below = static_cast<std::size_t>(rank) - 1;
    const std::size_t above = std::min(below + 1, draws.size() - 1);
    return draws[below] + (rank - std::floor(rank)) * (draws[above] - draws[below]);
}

} // namespace

Null null_of(const std::vector<double> & draws, double confidence) {
    std::vector<double> defined;
    std::copy_if(draws.begin(), draws.end(), std::back_inserter(defined), [](double x) { return !std::isnan(x); });
    if (defined.empty()) {
        return {};
    }
    const double mean = std::accumulate(defined.begin(), defined.end(), 0.0) / static_cast<double>(defined.size());
    return {mean, covering_quantile(defined, (1 - confidence) / 2), covering_quantile(defined, (1 + confidence) / 2)};
}

std::vector<NeuronOverlap> neuron_overlaps(const NeuronSurvey & survey, const NeuronPlan & plan,
                                           const NeuronOptions & options, const std::vector<std::size_t> & offsets,
                                           const DownProjections & model, const std::vector<std::size_t> & n_neuron) {
    const std::vector<Kind> kinds = kinds_of(options);
    const std::vector<std::vector<Null>> nulls = jaccard_nulls(survey, options);
    std::vector<std::vector<Set>> sets(survey.values.size());
    parallel_for(sets.size(), options.threads, [&](std::size_t i) { sets[i] = sets_of(survey.values[i], options); });
    const Layers layers{offsets, model};

    std::vector<NeuronOverlap> overlaps;
    for (std::size_t a = 0; a < sets.size(); ++a) {
        for (std::size_t b = a + 1; b < sets.size(); ++b) {
            const std::size_t group = plan.values[a].group;
            const bool same_layers = group == plan.values[b].group;
            std::vector<bool> both = plan.groups[group];
            std::size_t universe = 0;
            for (std::size_t layer = 0; layer < both.size(); ++layer) {
                both[layer] = both[layer] && plan.groups[plan.values[b].group][layer];
                universe += both[layer] ? n_neuron[layer] : 0;
            }
            for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
                const Set of_a = same_layers ? sets[a][kind] : layers.restrict(sets[a][kind], both);
                const Set of_b = same_layers ? sets[b][kind] : layers.restrict(sets[b][kind], both);
                NeuronOverlap overlap{a, b, kinds[kind], common_count(of_a, of_b), of_a.size(), of_b.size()};
                overlap.jaccard = jaccard_of(overlap.common, of_a.size(), of_b.size());
                if (universe > 0) {
                    overlap.expected = static_cast<double>(of_a.size()) * static_cast<double>(of_b.size()) /
                                       static_cast<double>(universe);
                    overlap.p = hypergeometric_tail(overlap.common, universe, of_a.size(), of_b.size());
                }
                if (same_layers) {
                    overlap.jaccard_null = nulls[group][kind];
                }
                overlaps.push_back(overlap);
            }
        }
    }
    return overlaps;
}

} // namespace valuelens
