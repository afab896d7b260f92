#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pipeline/open_rater.h"
#include "valuelens/concept_set.h"
#include "valuelens/embedding_model.h"
#include "valuelens/evaluation.h"
#include "valuelens/evaluation_judged.h"
#include "valuelens/run_config.h"

namespace valuelens {

/// What [evaluate] evaluations may name, in the order in which a run does them.
const std::vector<std::string> & evaluation_names();

/// Those that a config names, in that order. Throws Error(usage) for a name that is none.
std::vector<std::string> wanted_evaluations(const RunConfig & config);

/// Where a run keeps one, from its folder: "evaluation/pvq.json".
std::string evaluation_file(const std::string & name);

/// Whether the model writes in it, so that [evaluate_written] is about it; and whether a judge is asked, if there is
/// one.
bool is_written(const std::string & name);
bool is_judged(const std::string & name);

/// Who judges, by [evaluate_written]; with an empty model: nobody.
RaterRequest run_judge(const RunConfig & config);

/// What evaluations use beside the subject. All may be empty to check a config.
struct TaskTools {
    std::shared_ptr<Rater> judge;
    OpenEmbedding open_embedding;
    JudgedFiles files;
};

/// Throws as the tasks' own functions do, and Error(usage) where the config lacks what the evaluation needs.
std::unique_ptr<EvaluationTask> make_run_task(const std::string & name, const RunConfig & config,
                                              const ConceptSet & concepts, const TaskTools & tools);

EvaluationOptions run_evaluation_options(const std::string & name, const RunConfig & config);

/// All that the config says and that the result of an evaluation rests on, beside its matrix and its model.
std::string evaluation_settings(const std::string & name, const RunConfig & config);

} // namespace valuelens
