#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "valuelens/model.h"
#include "valuelens/progress.h"
#include "valuelens/request.h"

namespace valuelens {

struct SampleOptions {
    ModelOptions model;
    SchedulerOptions scheduler;
    std::filesystem::path input;            ///< prompts.jsonl; empty: `prompt`
    std::string prompt;                     ///< the user's text, where there is no input
    std::optional<std::string> system;      ///< beside `prompt`
    std::filesystem::path output;           ///< JSONL of the samples; empty: none is written
    std::vector<std::string> steer;         ///< as --steer
    std::vector<std::string> scale_neurons; ///< as --scale-neurons
    bool together = false; ///< all of them at once as one intervention, instead of one intervention each
    int max_tokens = 256;
    Sampling sampling; ///< its seed is that of everything: a prompt's own is derived from it and the prompt's id, and
                       ///< is the same for the base and all interventions
};

/// One answer. Base first, then the interventions in the order given, for each prompt.
struct Sample {
    std::string id;
    std::string intervention; ///< "base", or the specification as written (several joined by " + ")
    std::string text;
    FinishReason finish = FinishReason::done;
    std::size_t n_tokens = 0;
};

struct SampleResult {
    std::vector<std::string> interventions; ///< "base" first
    std::size_t n_prompts = 0;
    std::vector<Sample> samples;       ///< of `prompt` only: those of an input may be many and are in the output
    std::vector<std::string> too_long; ///< ids of prompts that do not fit the context; their samples are empty
    SchedulerStats stats;
};

/// Text as it is generated: position in SampleResult::interventions, and the next piece (whole characters).
using OnSampleText = std::function<void(std::size_t intervention, std::string_view piece)>;

/// The interventions of a command line, base first: names for people and for the output. Throws Error(usage) where two
/// are the same.
std::vector<std::string> sample_columns(const SampleOptions & options);

/// Answers prompts with the model as it is and under each intervention, side by side in the same batches, and writes
/// {"id", "intervention", "system"?, "user" or "prompt", "text", "finish", "n_tokens"} lines. The output appears whole
/// or not at all. `on_text` streams the answers to `prompt`; `on_done` is called when one is complete.
///
/// Files are checked before the model is loaded. Throws Error(usage), Error(bad_input), Error(model),
/// Error(interrupted).
SampleResult sample(const SampleOptions & options, ProgressSink & progress = silent_progress(),
                    std::stop_token stop = {}, const OnSampleText & on_text = {},
                    const std::function<void(std::size_t intervention)> & on_done = {});

} // namespace valuelens
