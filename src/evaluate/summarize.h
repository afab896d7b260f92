#pragma once

#include <string>
#include <vector>

#include "valuelens/evaluation.h"

namespace valuelens {

/// Fills `evaluation.rows` from its items, quantities, measures and variants: for each measure overall (unless it is
/// centred), then for each of `groups` that has items (where it is grouped), the estimate of each variant and its
/// paired difference from the first.
///
/// Percentile bootstrap over clusters of items (evaluation.bootstraps, .confidence, .seed); one resample serves all
/// variants, groups and measures, so that differences are paired and centred numbers use the mean of the same resample.
/// A group that a resample leaves empty is left out of that resample.
void summarize(Evaluation & evaluation, const std::vector<std::string> & groups);

/// Positions of a seeded sample of `limit` of `n` items, ascending; all of them where limit is 0 or not less than n.
std::vector<std::size_t> sample_items(std::size_t n, std::size_t limit, std::uint64_t seed);

/// Adds a drop, unless nothing was dropped.
void note_drop(Evaluation & evaluation, const std::string & reason, const std::string & unit, std::size_t count,
               const std::string & variant = {});

} // namespace valuelens
