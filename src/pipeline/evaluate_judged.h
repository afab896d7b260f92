#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "evaluate/rater.h"
#include "pipeline/evaluate_tools.h"
#include "valuelens/evaluation_judged.h"
#include "valuelens/run_config.h"

namespace valuelens {

/// Who judges: a local chat model or one behind an OpenAI-compatible server.
struct RaterRequest {
    std::string model;   ///< GGUF file, NAME[:TYPE] of the catalogue, or http[s]://host[:port][/path]; empty: nobody
    ServerConfig server; ///< of an address: the rest of what is said about it; its url is `model`
    RaterAnswers answers = RaterAnswers::automatic;
};

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

/// load_variants(), and, where `defend` is given, each of them once more with the guarded directions taken out of the
/// stream at every block and token: "defended", and "<name>_defended" of those under an intervention. Throws as
/// load_variants() and load_ablation() do.
std::vector<EvaluationVariant> judged_variants(const JudgedRequest & request, ProgressSink & progress);

/// Makes the evaluation with its judges; either may be null.
using MakeJudgedTask =
    std::function<std::unique_ptr<EvaluationTask>(std::shared_ptr<Rater> judge, std::shared_ptr<Rater> classifier)>;

/// As evaluate_to_file(), with judges. What is wrong with the input or the files is said before a server is asked or a
/// model loaded; a judge that is the subject itself is warned about. The file of finished slices is removed at the end.
Evaluation evaluate_judged_to_file(const MakeJudgedTask & make_task, const JudgedRequest & request,
                                   ProgressSink & progress, std::stop_token stop);

} // namespace valuelens
