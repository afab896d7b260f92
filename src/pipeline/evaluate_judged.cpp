#include "pipeline/evaluate_judged.h"

#include <algorithm>

#include "base/fail.h"
#include "base/file.h"
#include "pipeline/steer_spec.h"
#include "pipeline/watch.h"

namespace valuelens {
namespace {

EvaluationVariant defended(EvaluationVariant variant, const Defence & defence) {
    variant.name = variant.intervention == nullptr ? "defended" : variant.name + "_defended";
    auto joined = variant.intervention == nullptr ? std::make_shared<Intervention>()
                                                  : std::make_shared<Intervention>(*variant.intervention);
    joined->directions.insert(joined->directions.end(), defence.ablation.directions.begin(),
                              defence.ablation.directions.end());
    variant.intervention = std::move(joined);
    variant.steer.insert(variant.steer.end(), defence.steer.begin(), defence.steer.end());
    for (const auto & file : defence.files) {
        if (std::find(variant.files.begin(), variant.files.end(), file) == variant.files.end()) {
            variant.files.push_back(file);
        }
    }
    return variant;
}

} // namespace

JudgedFiles judged_files(const std::filesystem::path & output, const std::filesystem::path & completions,
                         ProgressSink & progress) {
    return {output.string() + ".part", completions, [&progress](std::string_view text) {
                progress.message(LogLevel::info, text);
            }};
}

std::vector<EvaluationVariant> with_defence(std::vector<EvaluationVariant> variants, const Defence & defence) {
    const std::size_t open = variants.size();
    for (std::size_t i = 0; i < open; ++i) {
        variants.push_back(defended(variants[i], defence));
    }
    return variants;
}

std::vector<EvaluationVariant> judged_variants(const JudgedRequest & request, ProgressSink & progress) {
    std::vector<EvaluationVariant> variants = load_variants(request, progress);
    if (request.defend.empty()) {
        return variants;
    }
    Defence defence;
    defence.ablation = load_ablation(request.defend, request.guard, read_model_info(request.model.path));
    for (const std::string & key : request.guard) {
        defence.steer.push_back(fmt::format("{}:{},mode=ablate", request.defend.string(), key));
    }
    defence.files = intervention_files(defence.steer, {});
    return with_defence(std::move(variants), defence);
}

Evaluation evaluate_judged_to_file(const MakeJudgedTask & make_task, const JudgedRequest & request,
                                   ProgressSink & progress, std::stop_token stop) {
    check_evaluation_options(request.options);
    make_task(nullptr, nullptr); // reads and checks the input
    AtomicFile{request.output};
    if (!request.files.completions.empty()) {
        AtomicFile{request.files.completions};
    }
    const ModelInfo subject = read_model_info(request.model.path);
    std::vector<EvaluationVariant> variants = judged_variants(request, progress);
    require_variants_apart(
        std::vector<WrittenFile>{
            {"--output " + request.output.string(), request.output},
            {"--output " + request.output.string(), request.files.part},
            {"--store-completions " + request.files.completions.string(), request.files.completions},
        },
        variants);
    const RaterSurroundings beside{request.model, subject, request.scheduler.parallel, request.options.seed};
    const std::shared_ptr<Rater> judge = open_rater(request.judge, "judge", "--judge", beside, progress, stop);
    const std::shared_ptr<Rater> classifier =
        open_rater(request.classifier, "classifier", "--classifier", beside, progress, stop);
    const std::unique_ptr<EvaluationTask> task = make_task(judge, classifier);

    const std::shared_ptr<Model> model = Model::load(request.model, progress, stop);
    Evaluation evaluation =
        evaluate(*task, model, request.scheduler, std::move(variants), request.options, progress, stop);
    write_evaluation(request.output, evaluation);
    std::error_code nothing_there;
    std::filesystem::remove(request.files.part, nothing_there);
    return evaluation;
}

} // namespace valuelens
