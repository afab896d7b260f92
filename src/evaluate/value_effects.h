#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "valuelens/evaluation.h"

namespace valuelens {

/// Variants of one evaluation that differ in the value they are steered toward and are read together: those named
/// "VALUE" or, with the same label, "VALUE/LABEL".
struct ValueVariants {
    std::string label;
    std::vector<std::size_t> values;   ///< positions in the concept set
    std::vector<std::size_t> variants; ///< of each value; positions in Evaluation::variants
};

/// In order of their labels' first appearance. Variants that name no value are in none.
std::vector<ValueVariants> value_variants(const Evaluation & evaluation, const ConceptSet & concepts);

/// What steering toward each value does to each: [steered][concept] the paired difference from the base of a quantity,
/// centred (minus that of all items). NaN where the concept has no item.
using EffectMatrix = std::vector<std::vector<double>>;

/// A number made from the effects of one or more quantities.
using EffectStatistic = std::function<double(const std::vector<EffectMatrix> & of_quantity)>;

/// The effects of `quantities` (positions in Evaluation::quantities) with every item counted once.
std::vector<EffectMatrix> effects(const Evaluation & evaluation, const std::vector<std::size_t> & quantities,
                                  const ValueVariants & set, const ConceptSet & concepts);

/// Several statistics of effects, each with the interval of resampled clusters of items: the same resamples as those of
/// summarize(). No interval (NaN) where there are fewer than two clusters or no resamples.
std::vector<Estimate> estimate_effects(const Evaluation & evaluation, const std::vector<std::size_t> & quantities,
                                       const ValueVariants & set, const ConceptSet & concepts,
                                       const std::vector<EffectStatistic> & statistics);

/// Values steered toward that no item measures: positions in the concept set.
std::vector<std::size_t> values_without_items(const EffectMatrix & matrix, const ValueVariants & set);

/// Notes them by name.
void note_missing_values(Evaluation & evaluation, const EffectMatrix & matrix, const ValueVariants & set,
                         const ConceptSet & concepts);

/// Mean effect of steering toward a value on the value itself; NaN entries are left out.
double target_effect(const EffectMatrix & matrix, const ValueVariants & set);

/// Mean effect on the values that the circle (Concept::angle) states closest to, or farthest from, the one steered
/// toward. NaN where angles are missing.
double neighbour_effect(const EffectMatrix & matrix, const ValueVariants & set, const ConceptSet & concepts);
double opposite_effect(const EffectMatrix & matrix, const ValueVariants & set, const ConceptSet & concepts);

/// Pearson's correlation, over all pairs of a value steered toward and another one, of the effect with the cosine of
/// the angle between them on the circle. `order` deals the angles anew: concept i takes the angle of order[i].
double circle_correlation(const EffectMatrix & matrix, const ValueVariants & set, const ConceptSet & concepts,
                          const std::vector<std::size_t> & order);

/// Pairs that circle_correlation() is made from.
std::size_t count_pairs(const EffectMatrix & matrix, const ValueVariants & set, const ConceptSet & concepts);

/// Adds, for each set of variants, the statistics circle_correlation (with the permutation p), target_effect,
/// neighbour_effect and opposite_effect of a quantity, and notes what could not be computed.
void add_leakage(Evaluation & evaluation, std::size_t quantity, const ConceptSet & concepts);

} // namespace valuelens
