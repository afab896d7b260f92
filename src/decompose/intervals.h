#pragma once

#include <span>
#include <stop_token>

#include "contrast/cell.h"
#include "decompose/decompose.h"

namespace valuelens {

/// Fills in what resampling queries tells: the intervals of cosine, sigma_ratio and the compliance statistics, and the
/// stabilities of the axes. `set` has its axes and options; `cells` [n_value, 2] and `plan` are of the source.
///
/// Both conditions and all values are resampled together. What is wanted of a resample are inner products, so the work
/// goes layer by layer and there over blocks of columns, whose products are added up: memory for one block per thread,
/// as many threads as memory_mb affords (at least one), the same numbers however many. A resample in which a class of a
/// value is empty is left out of what depends on it.
void add_intervals(AxisSet & set, const ActivationSource & source, std::span<const Cell> cells, const QueryPlan & plan,
                   ProgressSink & progress, const std::stop_token & stop);

} // namespace valuelens
