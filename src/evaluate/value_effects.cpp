#include "evaluate/value_effects.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numbers>
#include <numeric>

#include "base/fail.h"
#include "base/random.h"
#include "math/bootstrap.h"
#include "math/correlation.h"

namespace valuelens {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// Items as the effects need them.
struct Items {
    std::vector<std::size_t> cluster; ///< [item]
    std::size_t n_clusters = 0;
    std::vector<std::vector<std::size_t>> concepts; ///< [item] that it counts for
};

Items read_items(const Evaluation & evaluation, const ConceptSet & concepts) {
    Items items;
    std::map<std::string, std::size_t> clusters; // numbered as summarize() does
    for (const EvaluationItem & item : evaluation.items) {
        items.cluster.push_back(clusters.emplace(item.cluster, clusters.size()).first->second);
        std::vector<std::size_t> & own = items.concepts.emplace_back();
        for (const std::string & group : item.groups) {
            if (const auto position = concepts.find(group)) {
                own.push_back(*position);
            }
        }
    }
    items.n_clusters = clusters.size();
    return items;
}

struct WeightedSum {
    double sum = 0;
    double weight = 0;
    void add(double value, double by) {
        sum += by * value;
        weight += by;
    }
    double mean() const { return weight == 0 ? nan : sum / weight; }
};

EffectMatrix weighted_effects(const Evaluation & evaluation, const Items & items, std::size_t quantity,
                              const ValueVariants & set, std::size_t n_concepts,
                              const std::vector<std::uint32_t> & weights) {
    EffectMatrix matrix;
    for (const std::size_t variant : set.variants) {
        WeightedSum all;
        std::vector<WeightedSum> of_concept(n_concepts);
        for (std::size_t i = 0; i < evaluation.items.size(); ++i) {
            const SharedScore shared = evaluation.items[i].against_base(quantity, variant);
            const double difference = shared.variant - shared.base;
            const auto weight = static_cast<double>(weights[items.cluster[i]]);
            if (std::isnan(difference) || weight == 0) {
                continue;
            }
            all.add(difference, weight);
            for (const std::size_t position : items.concepts[i]) {
                of_concept[position].add(difference, weight);
            }
        }
        std::vector<double> & row = matrix.emplace_back();
        for (const WeightedSum & sum : of_concept) {
            row.push_back(sum.mean() - all.mean());
        }
    }
    return matrix;
}

/// Degrees between two concepts on the circle, 0 to 180. NaN where one has no angle.
double distance(const Concept & a, const Concept & b) {
    if (!a.angle || !b.angle) {
        return nan;
    }
    const double apart = std::fmod(std::abs(*a.angle - *b.angle), 360.0);
    return std::min(apart, 360 - apart);
}

/// Mean effect on the measured values at the smallest (or largest, `sign` -1) distance from the one steered toward.
WeightedSum effect_at_extreme(const EffectMatrix & matrix, const ValueVariants & set, const ConceptSet & concepts,
                              double sign) {
    constexpr double rounding = 1e-9;
    WeightedSum mean;
    for (std::size_t i = 0; i < set.values.size(); ++i) {
        double best = std::numeric_limits<double>::infinity();
        WeightedSum there;
        for (std::size_t j = 0; j < concepts.concepts.size(); ++j) {
            const double apart = sign * distance(concepts.concepts[set.values[i]], concepts.concepts[j]);
            if (j == set.values[i] || std::isnan(matrix[i][j]) || std::isnan(apart) || apart > best + rounding) {
                continue;
            }
            if (apart < best - rounding) {
                best = apart;
                there = {};
            }
            there.add(matrix[i][j], 1);
        }
        if (there.weight > 0) {
            mean.add(there.mean(), 1);
        }
    }
    return mean;
}

/// Effects and the cosines that the circle expects, pair by pair.
struct Pairs {
    std::vector<double> effect;
    std::vector<double> cosine;
};

Pairs pairs_of(const EffectMatrix & matrix, const ValueVariants & set, const ConceptSet & concepts,
               const std::vector<std::size_t> & order) {
    Pairs pairs;
    for (std::size_t i = 0; i < set.values.size(); ++i) {
        for (std::size_t j = 0; j < concepts.concepts.size(); ++j) {
            const Concept & steered = concepts.concepts[order[set.values[i]]];
            const Concept & other = concepts.concepts[order[j]];
            if (j == set.values[i] || std::isnan(matrix[i][j]) || !steered.angle || !other.angle) {
                continue;
            }
            pairs.effect.push_back(matrix[i][j]);
            pairs.cosine.push_back(std::cos((*steered.angle - *other.angle) * std::numbers::pi / 180));
        }
    }
    return pairs;
}

std::vector<std::size_t> stated_order(const ConceptSet & concepts) {
    std::vector<std::size_t> order(concepts.concepts.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    return order;
}

/// Angles dealt anew among the concepts that have one: the share of orders, the stated one among them, that fit at
/// least as well.
double permutation_p(const EffectMatrix & matrix, const ValueVariants & set, const ConceptSet & concepts,
                     std::uint64_t seed) {
    constexpr std::size_t permutations = 9999;
    constexpr double rounding = 1e-12;
    const double observed = circle_correlation(matrix, set, concepts, stated_order(concepts));
    if (std::isnan(observed)) {
        return nan;
    }
    std::vector<std::size_t> with_angle;
    for (std::size_t i = 0; i < concepts.concepts.size(); ++i) {
        if (concepts.concepts[i].angle) {
            with_angle.push_back(i);
        }
    }
    Rng rng(derive_seed(seed, "leakage"));
    std::size_t as_good = 1;
    for (std::size_t draw = 0; draw < permutations; ++draw) {
        std::vector<std::size_t> dealt = with_angle;
        rng.shuffle(dealt);
        std::vector<std::size_t> order = stated_order(concepts);
        for (std::size_t i = 0; i < with_angle.size(); ++i) {
            order[with_angle[i]] = dealt[i];
        }
        as_good += circle_correlation(matrix, set, concepts, order) >= observed - rounding ? 1 : 0;
    }
    return static_cast<double>(as_good) / static_cast<double>(permutations + 1);
}

} // namespace

std::vector<ValueVariants> value_variants(const Evaluation & evaluation, const ConceptSet & concepts) {
    std::vector<ValueVariants> sets;
    for (std::size_t variant = 1; variant < evaluation.variants.size(); ++variant) {
        const std::string & name = evaluation.variants[variant].name;
        const std::size_t slash = name.find('/');
        const auto value = concepts.find(name.substr(0, slash));
        if (!value) {
            continue;
        }
        const std::string label = slash == std::string::npos ? "" : name.substr(slash + 1);
        auto set = std::find_if(sets.begin(), sets.end(), [&](const auto & each) { return each.label == label; });
        if (set == sets.end()) {
            set = sets.insert(sets.end(), ValueVariants{label, {}, {}});
        }
        set->values.push_back(*value);
        set->variants.push_back(variant);
    }
    return sets;
}

std::vector<EffectMatrix> effects(const Evaluation & evaluation, const std::vector<std::size_t> & quantities,
                                  const ValueVariants & set, const ConceptSet & concepts) {
    const Items items = read_items(evaluation, concepts);
    std::vector<EffectMatrix> matrices;
    for (const std::size_t quantity : quantities) {
        matrices.push_back(weighted_effects(evaluation, items, quantity, set, concepts.concepts.size(),
                                            std::vector<std::uint32_t>(items.n_clusters, 1)));
    }
    return matrices;
}

std::vector<Estimate> estimate_effects(const Evaluation & evaluation, const std::vector<std::size_t> & quantities,
                                       const ValueVariants & set, const ConceptSet & concepts,
                                       const std::vector<EffectStatistic> & statistics) {
    const Items items = read_items(evaluation, concepts);
    const std::vector<EffectMatrix> all = effects(evaluation, quantities, set, concepts);
    std::vector<Estimate> estimates;
    for (const EffectStatistic & statistic : statistics) {
        estimates.push_back({statistic(all), nan, nan});
    }
    if (items.n_clusters < 2 || evaluation.bootstraps == 0) {
        return estimates;
    }
    std::vector<std::vector<double>> resampled(statistics.size());
    const std::uint64_t seed = derive_seed(evaluation.seed, "evaluation");
    for (std::size_t resample = 0; resample < evaluation.bootstraps; ++resample) {
        const std::vector<std::uint32_t> weights = bootstrap_weights(items.n_clusters, resample, seed);
        std::vector<EffectMatrix> drawn;
        for (const std::size_t quantity : quantities) {
            drawn.push_back(weighted_effects(evaluation, items, quantity, set, concepts.concepts.size(), weights));
        }
        for (std::size_t i = 0; i < statistics.size(); ++i) {
            resampled[i].push_back(statistics[i](drawn));
        }
    }
    for (std::size_t i = 0; i < statistics.size(); ++i) {
        if (!std::isnan(estimates[i].value)) {
            const Interval interval = percentile_interval(resampled[i], evaluation.confidence);
            estimates[i].low = interval.low;
            estimates[i].high = interval.high;
        }
    }
    return estimates;
}

std::vector<std::size_t> values_without_items(const EffectMatrix & matrix, const ValueVariants & set) {
    std::vector<std::size_t> missing;
    for (std::size_t i = 0; i < set.values.size(); ++i) {
        if (std::isnan(matrix[i][set.values[i]])) {
            missing.push_back(set.values[i]);
        }
    }
    return missing;
}

double target_effect(const EffectMatrix & matrix, const ValueVariants & set) {
    WeightedSum mean;
    for (std::size_t i = 0; i < set.values.size(); ++i) {
        if (const double own = matrix[i][set.values[i]]; !std::isnan(own)) {
            mean.add(own, 1);
        }
    }
    return mean.mean();
}

void note_missing_values(Evaluation & evaluation, const EffectMatrix & matrix, const ValueVariants & set,
                         const ConceptSet & concepts) {
    std::vector<std::string> names;
    for (const std::size_t value : values_without_items(matrix, set)) {
        names.push_back(concepts.concepts[value].id);
    }
    if (!names.empty()) {
        evaluation.notes.push_back(fmt::format("{}{}: no item measures {}, which variants are steered toward, so the "
                                               "effect on the value itself is the mean "
                                               "of the others; ask more items (--limit)",
                                               evaluation.name, set.label.empty() ? "" : " of " + set.label,
                                               fmt::join(names, ", ")));
    }
}

double neighbour_effect(const EffectMatrix & matrix, const ValueVariants & set, const ConceptSet & concepts) {
    return effect_at_extreme(matrix, set, concepts, 1).mean();
}

double opposite_effect(const EffectMatrix & matrix, const ValueVariants & set, const ConceptSet & concepts) {
    return effect_at_extreme(matrix, set, concepts, -1).mean();
}

double circle_correlation(const EffectMatrix & matrix, const ValueVariants & set, const ConceptSet & concepts,
                          const std::vector<std::size_t> & order) {
    const Pairs pairs = pairs_of(matrix, set, concepts, order);
    constexpr std::size_t fewest = 3;
    return pairs.effect.size() < fewest ? nan : pearson(pairs.effect, pairs.cosine);
}

std::size_t count_pairs(const EffectMatrix & matrix, const ValueVariants & set, const ConceptSet & concepts) {
    return pairs_of(matrix, set, concepts, stated_order(concepts)).effect.size();
}

void add_leakage(Evaluation & evaluation, std::size_t quantity, const ConceptSet & concepts) {
    const std::vector<std::size_t> order = stated_order(concepts);
    const auto count = [](const WeightedSum & sum) {
        return static_cast<std::size_t>(sum.weight);
    };
    for (const ValueVariants & set : value_variants(evaluation, concepts)) {
        const EffectMatrix matrix = effects(evaluation, {quantity}, set, concepts).front();
        const std::vector<Estimate> estimates =
            estimate_effects(evaluation, {quantity}, set, concepts,
                             {[&](const auto & of) { return circle_correlation(of.front(), set, concepts, order); },
                              [&](const auto & of) { return target_effect(of.front(), set); },
                              [&](const auto & of) { return neighbour_effect(of.front(), set, concepts); },
                              [&](const auto & of) {
                                  return opposite_effect(of.front(), set, concepts);
                              }});
        evaluation.statistics.push_back(
            {"circle_correlation", set.label,
             "Pearson's correlation of the effect on another value with the cosine of its angle to the value steered "
             "toward; p: share of 10000 orders of the angles that fit at least as well",
             estimates[0], permutation_p(matrix, set, concepts, evaluation.seed), count_pairs(matrix, set, concepts)});
        evaluation.statistics.push_back(
            {"target_effect", set.label, "mean centred difference from the base in the value steered toward",
             estimates[1], nan, set.values.size() - values_without_items(matrix, set).size()});
        evaluation.statistics.push_back({"neighbour_effect", set.label,
                                         "the same in the values next to it on the circle", estimates[2], nan,
                                         count(effect_at_extreme(matrix, set, concepts, 1))});
        evaluation.statistics.push_back({"opposite_effect", set.label,
                                         "the same in the values farthest from it on the circle", estimates[3], nan,
                                         count(effect_at_extreme(matrix, set, concepts, -1))});
        note_missing_values(evaluation, matrix, set, concepts);
        if (std::isnan(estimates[0].value)) {
            evaluation.notes.push_back(fmt::format(
                "leakage{}: no correlation with the circle; the concept set {} must state angles, and some effects "
                "must differ",
                set.label.empty() ? "" : " of " + set.label, concepts.name));
        }
    }
}

} // namespace valuelens
