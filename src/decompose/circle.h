#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "valuelens/concept_set.h"
#include "valuelens/decompose.h"
#include "valuelens/progress.h"

namespace valuelens {

/// The circles of the shared, intrinsic and prompted axes (design: Circumplex), in that order. Reads values, axes and
/// options of `set`; permutations and nulls depend on options.seed, not on `threads`.
///
/// R^2: the first two principal components of the centred axes, [n_used, n_embd], against the points (cos, sin) of the
/// stated angles, 1 - Procrustes disparity. p: the angles dealt anew `permutations` times, (1 + number at least as
/// good) / (1 + permutations); one set of permutations serves all layers and kinds, so their p are not independent of
/// each other. Orders that are turns or mirror images of the stated one fit exactly as well, which bounds p from below
/// for few values (a note says so). Null: `null_draws` sets of random directions through the same PCA; it depends on
/// the number of values, their angles and n_embd alone, so one serves all layers, kinds, and the range.
///
/// The circle of the range is that of the mean of the axes over the layers where every used value has one, back at unit
/// length; the design fixes the sign of each axis at each layer, so that layers may be averaged. Intrinsic and prompted
/// axes are mirror images, so their circles are equal.
///
/// Empty, with a note, where the concept set states no angles, or too few or equal ones; what else was left out is
/// appended to `notes` too. A layer where a used value has no axis gets a reason. Throws Error(usage) where
/// the layer range goes beyond the model, Error(interrupted).
std::vector<Circle> analyse_circles(const AxisSet & set, const ConceptSet & concepts, std::vector<std::string> & notes,
                                    unsigned threads, ProgressSink & progress, std::stop_token stop);

} // namespace valuelens
