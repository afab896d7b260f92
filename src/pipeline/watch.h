#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "pipeline/spec_text.h"
#include "valuelens/intervention.h"
#include "valuelens/model.h"
#include "valuelens/progress.h"
#include "valuelens/request.h"

namespace valuelens {

/// Which directions are watched, and where.
struct WatchOptions {
    std::filesystem::path file;       ///< of directions, as --steer reads them
    std::vector<std::string> keys;    ///< empty: `compliance` and every `<value>/shared` that the file has
    std::optional<LayerRange> layers; ///< nothing: the block in the middle of the model
};

/// Directions that responses are projected on: the mean over the blocks of <output of the block, unit vector>.
struct Watch {
    std::vector<std::string> names;
    std::vector<int> layers;
    std::shared_ptr<const Projector> projector; ///< one direction for each of `names`
    std::string digest;                         ///< SHA-256 of the directions: thresholds belong to them
};

/// Reads them. Of the keys that nobody named, those that are undefined at one of the blocks are left out with a
/// warning. Throws as load_directions() does.
Watch load_watch(const WatchOptions & options, const ModelInfo & model, ProgressSink & progress = silent_progress());

/// What takes these directions out of the stream, at every block where the file defines them and at every token.
Intervention load_ablation(const std::filesystem::path & file, std::span<const std::string> keys,
                           const ModelInfo & model);

/// The projections of one response.
struct WatchReading {
    std::vector<float> prompt; ///< [directions], at the prompt's last token; may be empty
    std::vector<float> tokens; ///< [response tokens, directions]
    std::vector<double> early; ///< [directions], mean over the first `window` tokens
    std::vector<double> mean;  ///< [directions], over all; NaN without tokens
    std::size_t n_tokens = 0;
    bool defended = false; ///< written with the guarded directions taken out: what is left of those is no finding
};

WatchReading read_watch(std::size_t n_directions, std::size_t window, std::span<const float> prompt_projection,
                        std::span<const float> projections);

/// What benign traffic stays below.
struct WatchThresholds {
    struct Limits {
        double prompt = 0;
        double early = 0;
        double mean = 0;
    };
    std::vector<std::string> names; ///< as of the watch
    std::vector<Limits> limits;
    std::vector<std::string> guard; ///< a response is flagged by these alone
    std::size_t window = 16;
    double quantile = 0.99;
    std::size_t n_responses = 0; ///< that they were learned on
    std::string digest;
    std::string model_name;
};

/// The directions that flag a response: those asked for, else the compliance direction where it is watched, else the
/// first. Throws Error(usage) for one that is not watched.
std::vector<std::string> guarded_names(const Watch & watch, std::vector<std::string> guard);

/// The quantile of each number over the responses (the smallest number that at least that share of them does not
/// exceed). Responses without tokens are left out. Throws Error(bad_input) where no response is left, Error(usage) for
/// a guard that is not watched.
WatchThresholds learn_thresholds(const Watch & watch, std::span<const WatchReading> readings, double quantile,
                                 std::size_t window, std::vector<std::string> guard, const ModelInfo & model);

void write_thresholds(const std::filesystem::path & path, const WatchThresholds & thresholds);
/// Throws Error(bad_input) where the file is not one of thresholds, or was learned with other directions or blocks.
WatchThresholds read_thresholds(const std::filesystem::path & path, const Watch & watch);

/// Whether a direction, by its position in `names`, is one of those that flag a response.
bool is_guarded(const WatchThresholds & thresholds, std::size_t direction);

/// Which directions exceed their threshold: the means of a whole response, or of its first tokens. Of a defended
/// response the guarded ones do not.
std::vector<bool> exceeding(const WatchThresholds & thresholds, const WatchReading & reading, bool early);
/// Whether a guarded one is among them.
bool is_flagged(const WatchThresholds & thresholds, const std::vector<bool> & exceeds);

/// {"layers", "directions": {name: {"prompt", "mean", "threshold", "exceeds", "tokens"}}, "flagged"}; what needs
/// thresholds is left out without them, `tokens` unless `per_token`.
nlohmann::ordered_json watch_json(const Watch & watch, const WatchThresholds * thresholds, const WatchReading & reading,
                                  bool per_token);

/// Of a draft that was thrown away: {"tokens", "directions": {name: {"early", "threshold"}}}.
nlohmann::ordered_json draft_json(const Watch & watch, const WatchThresholds & thresholds, const WatchReading & draft);

} // namespace valuelens
