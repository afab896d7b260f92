#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "valuelens/progress.h"
#include "valuelens/run_config.h"
#include "valuelens/vectors.h"

namespace valuelens {

/// The stages of a run, in order.
enum class Stage { generate, judge, vectors, decompose, neurons, evaluate };
const char * to_string(Stage stage);

/// One value at one layer, for a table.
struct ValueSummary {
    std::string value;
    std::size_t expressing[2]{}; ///< [condition] intrinsic, prompted
    std::size_t not_expressing[2]{};
    std::string problem[2];
    Estimate norm[2];
    Estimate auroc[2];
    Estimate cosine; ///< of the two conditions
};

/// What a run found, at one layer.
struct RunSummary {
    std::string folder;
    int layer = 0; ///< the middle one: fixed beforehand, since the best of many layers would flatter
    int n_layer = 0;
    std::size_t responses = 0;
    std::size_t queries = 0;
    std::size_t undecided = 0;
    std::vector<std::pair<std::string, std::size_t>> dropped; ///< "stage: reason" and how many
    std::string model;
    std::string judge;
    std::string judge_quality; ///< a sentence
    std::vector<ValueSummary> values;
    std::vector<std::pair<std::string, std::string>> files; ///< name and what it holds
};

/// What `status` tells.
struct RunStatus {
    std::string folder;
    std::string model;
    std::string shard;              ///< "i/n" where the folder holds a part of a run, else empty
    std::size_t slices_planned = 0; ///< of that part
    std::size_t slices_generated = 0;
    std::size_t slices_judged = 0;
    std::size_t intrinsic = 0;
    std::size_t prompted = 0;
    std::size_t expressing = 0;
    std::size_t not_expressing = 0;
    std::size_t undecided = 0;
    std::size_t no_opinion = 0;
    std::vector<std::pair<std::string, std::size_t>> dropped;
    std::string judge;
    bool has_vectors = false;
    bool has_axes = false;
    bool has_neurons = false;
    std::vector<std::pair<std::string, bool>> evaluations; ///< that the config asks for, and whether each is done
    std::string next;                ///< what `valuelens run` would do next; "merge" for a finished shard; "nothing"
    std::vector<std::string> events; ///< the last lines of the stage log
};

struct RunRequest {
    std::filesystem::path folder;                     ///< the run; made where it does not exist
    std::optional<std::filesystem::path> config;      ///< none: the run's own config.toml
    std::function<void(RunConfig &)> override_config; ///< what the command line says; may be empty
    std::vector<Stage> stages = {Stage::generate,  Stage::judge,   Stage::vectors,
                                 Stage::decompose, Stage::neurons, Stage::evaluate};
    /// "i/n" or "auto": this folder holds only that part of the slices; empty: as the folder was begun, else all. A
    /// "{shard}" in `folder` becomes "i-of-n".
    std::string shard;
    bool rejudge = false;                  ///< forget the labels of another judge
    std::string command = "valuelens run"; ///< for the lock's sentence
};

/// Does the stages of a run that are not done yet. Stages that are done are left alone; a stopped one goes on where it
/// stood. Of several stages, a shard of a run does only those up to judging: what follows rests on all shards together
/// (merge_runs()).
///
/// Throws Error(usage) when the folder belongs to another config (naming the keys that differ), another model, or
/// another process; and as the stages do. Returns what was found, without values where the vectors stage has not run.
RunSummary execute_run(const RunRequest & request, ProgressSink & progress, std::stop_token stop = {});

/// Reads a run without changing it. Throws Error(bad_input) where there is none.
RunStatus run_status(const std::filesystem::path & folder);

/// The summary of a finished run.
RunSummary summarize_run(const std::filesystem::path & folder);

} // namespace valuelens
