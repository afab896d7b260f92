#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <stop_token>
#include <vector>

#include "generate/estimate.h"
#include "generate/generator.h"
#include "generate/plan.h"
#include "store/run_db.h"
#include "valuelens/progress.h"

namespace valuelens {

/// Labels the responses of one slice: StoredActivations::none needs them before the activations are let go.
using SliceLabeller = std::function<std::vector<LabelRow>(std::span<const ResponseRow>)>;

/// What a call of run_generate did.
struct GenerateResult {
    std::size_t slices_before = 0; ///< of this shard, finished before
    std::size_t slices_done = 0;   ///< now
    std::size_t responses = 0;     ///< kept now
    std::size_t dropped = 0;       ///< now; counted by reason in the database
    SchedulerStats stats;          ///< sums over the slices done now
};

/// Generates the slices of this shard that are not finished, in order. For each one: the shard file
/// `<run>/activations/shard-<slice>.safetensors` (whole or not at all), then its rows in the database, in one
/// transaction. A slice is scheduled alone, so what it yields does not depend on where a run was stopped before.
///
/// With StoredActivations::none the file is `sums-<slice>.safetensors` (SliceSums), made from the labels of `labeller`,
/// which are stored with the slice; otherwise `labeller` is not called and may be empty.
///
/// A response whose prompt and response do not fit the context, or that has no tokens, is left out and counted (stage
/// "generate").
///
/// Throws Error(usage) when the database was filled with another plan, model or other options, Error(bad_input) when
/// the disk is too small or full, Error(interrupted) on a stop request: finished slices stay. The caller holds the
/// RunLock.
GenerateResult run_generate(RunDb & db, const std::filesystem::path & run_dir, const GenerationPlan & plan,
                            Generator & generator, const GenerateOptions & options,
                            ProgressSink & progress = silent_progress(), std::stop_token stop = {},
                            const SliceLabeller & labeller = {});

/// Recomputes the checksum of the shard of every finished slice. A slice whose shard is missing or differs is removed
/// from the database, with its labels, so that it is generated again; a warning says so. Returns the slices removed.
std::vector<std::size_t> verify_shards(RunDb & db, const std::filesystem::path & run_dir,
                                       ProgressSink & progress = silent_progress(), std::stop_token stop = {});

/// The activation files (or files of sums) of all finished slices, in order.
std::vector<std::filesystem::path> shard_paths(const RunDb & db, const std::filesystem::path & run_dir);

} // namespace valuelens
