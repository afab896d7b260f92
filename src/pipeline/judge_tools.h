#pragma once

#include <filesystem>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "valuelens/judge.h"
#include "valuelens/model.h"
#include "valuelens/progress.h"
#include "valuelens/request.h"
#include "valuelens/run_config.h"

namespace valuelens {

/// What `judge-check` measures.
struct JudgeCheckRequest {
    RunConfig config;                            ///< its judge.* keys, concepts.file, threads
    std::vector<std::filesystem::path> labelled; ///< load_labelled_texts()
    std::size_t limit = 0;                       ///< a seeded sample of so many texts; 0: all
    JudgeCheckOptions options;
};

/// Measures the judge that a config names on texts that people labelled.
JudgeCheck check_judge_on_files(const JudgeCheckRequest & request, ProgressSink & progress, std::stop_token stop);

/// What `judge-train` makes.
struct JudgeTrainRequest {
    std::vector<std::filesystem::path> labelled; ///< training texts
    std::vector<std::filesystem::path> check;    ///< texts to measure the finished probe on; may be empty
    std::filesystem::path concepts;              ///< empty: Schwartz's ten values
    std::filesystem::path output;
    std::string model_spec; ///< as written; stored, so that a run can fetch the model
    ModelOptions model;     ///< resolved
    SchedulerOptions scheduler;
    std::vector<int> blocks; ///< pooled blocks; empty: four spread over the model
    std::string suffix = " This text expresses the human value of"; ///< empty: the text's mean alone
    bool skip_first_token = false;
    std::vector<double> strengths = {0.4, 0.8, 1.6};
    std::string attribution;
    std::uint64_t seed = 0;
    unsigned threads = 0;
};

struct JudgeTrainReport {
    std::string probe; ///< its file
    std::vector<int> blocks;
    std::vector<std::pair<double, double>> trials; ///< strength, cross-validated mean AUROC
    double strength = 0;
    double cv_auroc = 0;
    std::vector<std::pair<std::string, double>> cv_values; ///< per value
    std::size_t n_texts = 0;
    std::size_t n_unread = 0;
    bool checked = false;
    JudgeCheck check; ///< where `check` was given
};

/// Trains a probe and writes it, with its measured quality, as a file for `judge.probe`.
JudgeTrainReport train_probe_file(const JudgeTrainRequest & request, ProgressSink & progress, std::stop_token stop);

} // namespace valuelens
