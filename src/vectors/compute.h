#pragma once

#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "contrast/activation_source.h"
#include "contrast/query_plan.h"
#include "valuelens/progress.h"
#include "valuelens/vectors.h"

namespace valuelens {

/// What of the options decides how queries are held out, resampled and halved.
QueryPlanOptions plan_options(const VectorOptions & options);

/// Value vectors with their statistics (design: Extraction), from activations and labels.
///
/// v is the mean over expressing minus the mean over not expressing responses, per value, condition and layer. A value
/// and condition with fewer than options.min_count responses of either class gets a `problem`; the others go on. The
/// same seeded split and resamples of queries serve all values and conditions. The work goes layer by layer and value
/// by value, each part reading its slice of the source by itself: the bytes of the result depend neither on threads nor
/// on memory_mb, and the order of responses changes nothing but the rounding of sums in double.
///
/// Throws Error(bad_input) where no value has a vector or an activation is not finite, Error(usage) for options out of
/// range, Error(interrupted) on a stop request.
ValueVectorSet compute_value_vectors(const ActivationSource & source, std::span<const LabelledResponse> responses,
                                     const std::vector<std::string> & values, const VectorOptions & options,
                                     ProgressSink & progress = silent_progress(), std::stop_token stop = {});

} // namespace valuelens
