#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "pipeline/watch.h"
#include "valuelens/model.h"
#include "valuelens/progress.h"
#include "valuelens/request.h"

namespace valuelens {

/// Which responses are written with the guarded directions taken out of the stream.
enum class MonitorDefend { off, flagged, all };

struct MonitorOptions {
    ModelOptions model;
    SchedulerOptions scheduler;
    WatchOptions watch;
    std::filesystem::path input;      ///< transcripts.jsonl; a line without a response is answered first
    std::filesystem::path output;     ///< JSONL of the readings; may be empty
    std::filesystem::path learn;      ///< thresholds are learned and written there; empty: they are not
    std::filesystem::path thresholds; ///< learned before; empty: nothing is flagged
    double quantile = 0.99;
    std::size_t window = 16;
    std::vector<std::string> guard; ///< with `learn`; empty: the compliance direction, or the first one watched
    MonitorDefend defend = MonitorDefend::off;
    bool per_token = false;
    int max_tokens = 128;
    Sampling sampling; ///< its seed is that of everything, each line has its own
};

struct MonitorResult {
    Watch watch;
    std::optional<WatchThresholds> thresholds; ///< those read, or those learned
    std::size_t n_responses = 0;
    std::size_t n_empty = 0;           ///< answers without tokens: nothing was read of them
    std::size_t n_flagged = 0;         ///< by the mean over the whole response, as it stands in the end
    std::size_t n_rewritten = 0;       ///< drafts flagged by their first tokens and written anew
    std::vector<double> mean;          ///< [directions], over the responses
    std::vector<std::string> too_long; ///< ids
    SchedulerStats stats;
};

/// Projects responses on directions while they are read or written, compares them with thresholds or learns these, and
/// writes one line {"id", "text" (of an answer written here), "n_tokens", "monitor"} for each. Outputs appear whole or
/// not at all. Throws Error(usage), Error(bad_input), Error(model), Error(interrupted).
MonitorResult monitor(const MonitorOptions & options, ProgressSink & progress = silent_progress(),
                      std::stop_token stop = {});

} // namespace valuelens
