#pragma once

#include <cstddef>
#include <filesystem>
#include <limits>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "valuelens/evaluation.h"

namespace valuelens {

/// Blocks first to last.
struct LayerSpan {
    int first = 0;
    int last = 0;
    bool operator==(const LayerSpan &) const = default;
};

/// How strong an intervention may be before it costs capability, and what it gains (design: Intervention).
struct TuneOptions {
    ModelOptions model;
    SchedulerOptions scheduler;
    std::vector<std::string> steer;         ///< as --steer, without alpha: each is tuned by itself
    std::vector<std::string> scale_neurons; ///< as --scale-neurons, without beta: likewise; not beside `steer`
    std::vector<float> grid;                ///< alphas, or betas of neurons; at least one
    double max_drop = 5;                    ///< percentage points of accuracy that may be lost, greater than 0

    std::vector<LayerSpan> layers; ///< each is tried for each intervention; empty: as the specification says
    bool auto_layers = false;      ///< find the ranges to try by held-out AUROC in `vectors`
    std::filesystem::path vectors; ///< vectors.safetensors
    int window = 0;                ///< blocks in such a range; 0: a sixth of the model, at least one
    std::size_t candidates = 3;    ///< such ranges per intervention, at least one

    MultipleChoiceOptions questions;
    std::string value;              ///< whose gain is measured; empty: what the key or specification names
    std::filesystem::path concepts; ///< empty: Schwartz's ten values
    PvqOptions portraits;
    EvaluationOptions evaluation; ///< `limit` is of the questions
    std::filesystem::path output; ///< tune_json() goes here
};

/// One strength on the grid. Differences are from the model as it is on the same items, with paired intervals.
struct TunePoint {
    float strength = 0;
    std::string intervention;  ///< the whole specification, to be pasted
    Estimate accuracy;         ///< percent
    Estimate drop;             ///< percentage points of accuracy lost
    Estimate probability_drop; ///< ... of the right letter's mean probability: moves before the accuracy does
    double option_mass = std::numeric_limits<double>::quiet_NaN(); ///< how far the model still answers with a letter
    Estimate gain;         ///< of the value's likeness, in points of the scale; NaN where no value is named
    Estimate gain_centred; ///< ... less that of all items, which a shift toward "like me" raises
};

/// The strongest point of one side of the grid that is allowed: it and all weaker ones of that side lose less than
/// max_drop. Strengths count from the one that changes nothing, alpha 0 or beta 1.
struct TuneChoice {
    std::optional<std::size_t> point;   ///< by the estimate of the drop; none: the weakest already costs too much
    std::optional<std::size_t> certain; ///< by the upper end of the interval of the drop
};

/// One intervention at one range of blocks.
struct TuneCurve {
    std::string intervention;                                ///< specification without strength
    std::string value;                                       ///< empty: none, so no gains
    std::optional<LayerSpan> layers;                         ///< that were tried; none: as the specification says
    double auroc = std::numeric_limits<double>::quiet_NaN(); ///< mean over the range, with auto_layers
    std::vector<TunePoint> points;                           ///< ascending
    TuneChoice above;                                        ///< alpha > 0, beta > 1
    TuneChoice below;                                        ///< alpha < 0, beta < 1
};

/// The range of blocks with the largest gain at its chosen strength, of one intervention and side.
struct TuneBest {
    std::string intervention; ///< without strength and range
    bool above = true;
    std::size_t curve = 0; ///< in TuneResult::curves
    std::size_t point = 0;
};

struct TuneResult {
    TuneOptions options;
    Evaluation questions;                ///< all variants on the questions
    std::optional<Evaluation> portraits; ///< ... on the portraits; none where no value is named
    std::vector<TuneCurve> curves;       ///< interventions in order, each with its ranges
    std::vector<TuneBest> best;          ///< where several ranges were tried and gains are known; gain_centred, or for
                                         ///< a side below its negative, decides
    std::vector<std::pair<std::string, std::string>> files; ///< steering files and vectors, with their SHA-256
    std::vector<std::string> notes;
};

/// Scores the model as it is and under every strength on the same questions (and, for the gain, portraits) in the same
/// batches, chooses, and writes the curves. All that can be wrong with files and options is said before the model is
/// loaded. Throws Error(usage), Error(bad_input), Error(model), Error(interrupted).
TuneResult tune(const TuneOptions & options, ProgressSink & progress = silent_progress(), std::stop_token stop = {});

/// The result as one JSON object (docs/files.md, tune.json), without line break at the end.
std::string tune_json(const TuneResult & result);

} // namespace valuelens
