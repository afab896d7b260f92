#pragma once

#include <span>
#include <string>
#include <vector>

#include "judge/probe.h"

namespace valuelens {

struct TrainOptions {
    ProbeReading reading;
    std::vector<double> strengths = {
        0.2, 0.4, 0.8,
        1.6}; ///< tried as C = strength / n_feature (scikit-learn's C); the best by cross-validation is kept
    std::size_t folds = 5; ///< of whole groups (topics), so that a topic seen in training is not tested
    std::uint64_t seed = 0;
    unsigned threads = 0; ///< of the regression; 0: all cores
};

/// Mean AUROC over values of one strength, on texts of groups not fitted.
struct TrainTrial {
    double strength = 0;
    double mean_auroc = 0;
};

struct TrainResult {
    Probe probe; ///< name, model and attribution are the caller's to fill
    std::vector<TrainTrial> trials;
    std::vector<double> auroc; ///< [n_value] cross-validated, of the strength chosen
    std::size_t n_texts = 0;
    std::size_t n_unread = 0; ///< texts without tokens or too long for the context
};

/// Trains a probe: reads all texts with the model, chooses the strength by cross-validated AUROC, calibrates the
/// log-odds on the held-out folds (Platt), and fits on all texts. Throws Error(bad_input) for a value without texts of
/// both classes, naming it.
TrainResult train_probe(const Model & model, Scheduler & scheduler, const ConceptSet & concepts,
                        std::span<const LabelledText> texts, const TrainOptions & options, ProgressSink & progress,
                        std::stop_token stop);

} // namespace valuelens
