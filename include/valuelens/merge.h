#pragma once

#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "valuelens/progress.h"

namespace valuelens {

struct MergeRequest {
    std::vector<std::filesystem::path> shards; ///< folders of runs that were made with --shard i/n, in any order
    std::filesystem::path output;              ///< folder of the whole run; made where it does not exist
};

struct MergeResult {
    std::string folder;
    std::size_t shards = 0;
    std::size_t slices = 0;
    std::size_t responses = 0;
    std::size_t labels = 0;
    std::size_t linked = 0; ///< activation files that share their bytes with the shard's
    std::size_t copied = 0;
    bool done_before = false;
    std::string next; ///< as RunStatus::next
};

/// Joins the shards of one run into a run like any other: its responses, labels and activation files are those that the
/// run would hold had it been made in one folder, and stages go on there. Labels come along; where they are decided
/// over the whole run (judge.prior = "matched"), they are decided anew over all shards. What is still to be judged is
/// left to the judge stage.
///
/// The shards are not changed. Activation files become hard links where the file system allows it, else copies; each
/// one's checksum is checked. The database appears last and whole: a merge that was killed is begun again by the same
/// call, and a finished one is left alone.
///
/// Throws Error(usage): a folder that is a shard of another run (naming what differs), a shard that is missing, given
/// twice or in use, an output that holds something else. Throws Error(bad_input): a shard that is not finished, a
/// damaged file, a full disk. Error(interrupted) on a stop request.
MergeResult merge_runs(const MergeRequest & request, ProgressSink & progress = silent_progress(),
                       std::stop_token stop = {});

} // namespace valuelens
