#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "pipeline/output_apart.h"
#include "valuelens/evaluation.h"

namespace valuelens {

/// What `eval` is asked for, beside the evaluation's own input.
struct EvaluateRequest {
    ModelOptions model; ///< resolved
    SchedulerOptions scheduler;
    std::vector<std::string> steer;         ///< as --steer
    std::vector<std::string> scale_neurons; ///< as --scale-neurons
    std::vector<std::string> values;        ///< what the slot {value} in these stands for, one variant for each
    EvaluationOptions options;
    std::filesystem::path output;
};

/// Whether a specification holds the slot {value}.
bool has_value_slot(const std::vector<std::string> & specs);

/// The model as it is, and the same under the intervention: one variant "steered", or one for each of request.values,
/// named after it, where a specification holds {value}. Reads the files; throws as load_intervention() does, and
/// Error(usage) where there is a slot and no value.
std::vector<EvaluationVariant> load_variants(const EvaluateRequest & request, ProgressSink & progress);

/// require_output_apart() for the files of interventions, where {value} has been filled in.
void require_variants_apart(std::span<const WrittenFile> written, const std::vector<EvaluationVariant> & variants);

/// Evaluates a model, and the same model under the intervention where one is asked for, and writes the result. All that
/// can be wrong with the files is said before the model is loaded. Throws as load_intervention(), evaluate() and
/// write_evaluation() do.
Evaluation evaluate_to_file(const EvaluationTask & task, const EvaluateRequest & request, ProgressSink & progress,
                            std::stop_token stop);

/// The concept set of a file, Schwartz's ten values without one.
ConceptSet concepts_or_default(const std::filesystem::path & file);

} // namespace valuelens
