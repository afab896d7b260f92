#pragma once

#include <span>
#include <stop_token>
#include <vector>

#include "explain/harvester.h"
#include "explain/job.h"
#include "explain/output.h"
#include "explain/poles.h"
#include "valuelens/progress.h"

namespace valuelens {

/// The logit lens of each neuron's w_out; empty where none is asked for.
std::vector<LensTokens> neuron_lenses(const ExplainJob & job, const Harvester & harvest, const ExplainOptions & options,
                                      ProgressSink & progress, const std::stop_token & stop);

/// That of the shared and intrinsic axes of all values at all layers; the prompted one is the intrinsic one turned
/// round.
std::vector<AxisLens> axis_lenses(const ExplainJob & job, const ExplainOptions & options, ProgressSink & progress,
                                  const std::stop_token & stop);

/// Counts what became of the poles, failures by reason.
void count_poles(std::span<const PoleWork> poles, ExplainSummary & summary);

/// compare_categories() of all poles.
std::vector<CategorySummary> compare_poles(const ExplainJob & job, const Harvester & harvest,
                                           std::span<const PoleWork> poles, const ExplainOptions & options);

} // namespace valuelens
