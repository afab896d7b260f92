#pragma once

#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "judge/batch.h"
#include "valuelens/progress.h"

namespace valuelens {

/// What `judge export` writes: the questions of a run's judge (judge.kind = "server"; judge.answers "auto" means
/// logprobs, since nobody is asked which it offers) about its responses without labels.
struct JudgeExportRequest {
    std::filesystem::path run;
    std::filesystem::path output;
    std::vector<std::filesystem::path> answered; ///< results whose questions are not asked again
    std::size_t max_lines = 50000;               ///< of one file
};

struct JudgeExportReport {
    BatchExport batch;
    std::string model;
    std::string cost; ///< a sentence
};

/// Throws Error(usage) where the config does not say who judges, Error(bad_input) where there is no run or every
/// response has its labels.
JudgeExportReport export_judge_batch(const JudgeExportRequest & request, ProgressSink & progress);

/// What `judge import` reads: results of a batch API.
struct JudgeImportRequest {
    std::filesystem::path run;
    std::vector<std::filesystem::path> results;
    bool accept_missing = false; ///< no opinion where an answer is missing; else such slices are left for later
    bool rejudge = false;        ///< forget the labels that are there
};

/// Throws Error(usage) for a run that was begun with another configuration or judge, and as import_batch().
BatchImport import_judge_batch(const JudgeImportRequest & request, ProgressSink & progress, std::stop_token stop);

} // namespace valuelens
