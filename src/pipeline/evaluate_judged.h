#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/evaluate_tools.h"
#include "pipeline/open_rater.h"
#include "valuelens/evaluation_judged.h"

namespace valuelens {

/// What a judged evaluation is asked for, beside the evaluation's own input.
struct JudgedRequest : EvaluateRequest {
    RaterRequest judge;
    RaterRequest classifier;
    std::filesystem::path defend;   ///< directions; empty: no defended variants
    std::vector<std::string> guard; ///< keys of those that are taken out
    JudgedFiles files;              ///< of the task
};

/// Where the evaluation written to `output` keeps what is finished ("<output>.part"), with its messages to `progress`,
/// which must outlive it.
JudgedFiles judged_files(const std::filesystem::path & output, const std::filesystem::path & completions,
                         ProgressSink & progress);

/// Directions that are taken out of the stream, at every block and token.
struct Defence {
    Intervention ablation;
    std::vector<std::string> steer;                         ///< the same as written
    std::vector<std::pair<std::string, std::string>> files; ///< that this names, with their SHA-256
};

/// The variants, then each of them once more under the defence: "defended", and "<name>_defended" of those under an
/// intervention.
std::vector<EvaluationVariant> with_defence(std::vector<EvaluationVariant> variants, const Defence & defence);

/// load_variants(), and, where `defend` is given, with_defence() of the guarded directions. Throws as load_variants()
/// and load_ablation() do.
std::vector<EvaluationVariant> judged_variants(const JudgedRequest & request, ProgressSink & progress);

/// Makes the evaluation with its judges; either may be null.
using MakeJudgedTask =
    std::function<std::unique_ptr<EvaluationTask>(std::shared_ptr<Rater> judge, std::shared_ptr<Rater> classifier)>;

/// As evaluate_to_file(), with judges. What is wrong with the input or the files is said before a server is asked or a
/// model loaded; a judge that is the subject itself is warned about. The file of finished slices is removed at the end.
Evaluation evaluate_judged_to_file(const MakeJudgedTask & make_task, const JudgedRequest & request,
                                   ProgressSink & progress, std::stop_token stop);

} // namespace valuelens
