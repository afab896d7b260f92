#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace valuelens {

/// Part `first` of `second` of a run's slices; (0, 1) is the whole run.
using Shard = std::pair<int, int>;

/// A variable of the environment, or nothing where it is not set.
using Environment = std::function<std::optional<std::string>(const char * name)>;

/// That of this process.
std::optional<std::string> process_environment(const char * name);

/// What --shard says: "i/n", "auto", or nothing for the whole run. Throws Error(usage) for anything else.
///
/// "auto" takes the place of this process from its job: an array task (SLURM_ARRAY_TASK_ID with _COUNT, _MIN and _STEP;
/// JOB_COMPLETION_INDEX with JOB_COMPLETIONS) and, within it, a rank (OMPI_COMM_WORLD_RANK with _SIZE, else
/// SLURM_PROCID with SLURM_NTASKS). With both, task t of T and rank r of R is shard t * R + r of T * R. Throws
/// Error(usage) where neither is set, a count is missing or a number is out of range.
Shard parse_shard(const std::string & text, const Environment & environment = process_environment);

/// "i/n".
std::string to_string(const Shard & shard);

/// The folder with each {shard} in its name replaced by "i-of-n", so that one command line gives every process a folder
/// of its own.
std::filesystem::path shard_folder(const std::filesystem::path & folder, const Shard & shard);

} // namespace valuelens
