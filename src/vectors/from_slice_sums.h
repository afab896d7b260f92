#pragma once

#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "valuelens/progress.h"
#include "valuelens/vectors.h"

namespace valuelens {

/// Value vectors of a run that kept sums only, from the files of its slices (src/contrast/slice_sums.h).
///
/// The vectors are those of the same responses with activations kept. Their statistics are coarser: slices are
/// resampled and halved in the place of queries (a slice holds whole queries), so there are no intervals with fewer
/// than eight slices and no split-half cosine with fewer than two, and there is no AUROC, since single responses are
/// gone; a note says so, to `progress` too. `n_queries` is left 0: the sums do not tell. `options.held_out`,
/// `resample_groups` and `memory_mb` have no effect. Throws as compute_value_vectors().
ValueVectorSet vectors_from_slice_sums(const std::vector<std::filesystem::path> & files,
                                       const std::vector<std::string> & values, const VectorOptions & options,
                                       ProgressSink & progress = silent_progress(), std::stop_token stop = {});

} // namespace valuelens
