#include "pipeline/evaluate_tools.h"

#include "base/fail.h"
#include "base/file.h"
#include "pipeline/steer_spec.h"

namespace valuelens {

std::vector<EvaluationVariant> load_variants(const EvaluateRequest & request, ProgressSink & progress) {
    std::vector<EvaluationVariant> variants = evaluation_variants(
        request.steer, request.scale_neurons,
        load_intervention(request.steer, request.scale_neurons, read_model_info(request.model.path), progress));
    variants.back().files = intervention_files(request.steer, request.scale_neurons);
    return variants;
}

Evaluation evaluate_to_file(const EvaluationTask & task, const EvaluateRequest & request, ProgressSink & progress,
                            std::stop_token stop) {
    check_evaluation_options(request.options);
    AtomicFile{request.output};
    std::vector<EvaluationVariant> variants = load_variants(request, progress);
    const std::shared_ptr<Model> model = Model::load(request.model, progress, stop);
    Evaluation evaluation =
        evaluate(task, model, request.scheduler, std::move(variants), request.options, progress, stop);
    write_evaluation(request.output, evaluation);
    return evaluation;
}

ConceptSet concepts_or_default(const std::filesystem::path & file) {
    return file.empty() ? schwartz10() : load_concept_set(file);
}

} // namespace valuelens
