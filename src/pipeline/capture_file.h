#pragma once

#include <cstddef>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "valuelens/model.h"
#include "valuelens/progress.h"
#include "valuelens/request.h"

namespace valuelens {

struct CaptureFileOptions {
    ModelOptions model;
    SchedulerOptions scheduler;
    std::filesystem::path input;  ///< transcripts.jsonl
    std::filesystem::path output; ///< activations, safetensors
    bool mlp_post = false;        ///< beside resid_post, which is always there
    bool last_logits = false;
    std::vector<std::string> steer;         ///< as --steer
    std::vector<std::string> scale_neurons; ///< as --scale-neurons
};

struct CaptureFileResult {
    std::size_t captured = 0;
    std::vector<std::string> too_long; ///< ids of transcripts left out because they do not fit the context
    SchedulerStats stats;
};

/// Reads transcripts through the model (teacher-forced) and writes the means over their response tokens as an
/// activation file (store/activations.h). Files are checked before the model is loaded. The output appears whole or not
/// at all.
///
/// A transcript whose prompt and response do not fit the context is left out, reported and counted. Throws
/// Error(bad_input): a broken line, no transcript that fits, a file of directions or neurons that does not fit the
/// model; Error(usage): a wrong specification; Error(model); Error(interrupted).
CaptureFileResult capture_file(const CaptureFileOptions & options, ProgressSink & progress = silent_progress(),
                               std::stop_token stop = {});

} // namespace valuelens
