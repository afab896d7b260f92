#include "pipeline/evaluate_judged.h"

#include "base/fail.h"
#include "base/file.h"
#include "pipeline/open_service.h"
#include "pipeline/steer_spec.h"
#include "pipeline/watch.h"
#include "valuelens/models.h"

namespace valuelens {
namespace {

bool is_address(const std::string & model) {
    return model.find("://") != std::string::npos;
}

std::shared_ptr<Rater> open_rater(const RaterRequest & wanted, const std::string & role, const JudgedRequest & request,
                                  const ModelInfo & subject, ProgressSink & progress, const std::stop_token & stop) {
    if (wanted.model.empty()) {
        return nullptr;
    }
    std::shared_ptr<Rater> rater;
    std::string identity;
    if (is_address(wanted.model)) {
        ServerConfig server = wanted.server;
        server.url = wanted.model;
        rater = make_server_rater(open_service(server, "--" + role, progress, stop),
                                  {.answers = wanted.answers, .seed = request.options.seed}, progress, stop);
    } else {
        ModelOptions options;
        options.path = resolve_model(wanted.model, {.threads = request.model.threads}, progress, stop).string();
        options.threads = request.model.threads;
        options.n_gpu_layers = request.model.n_gpu_layers;
        options.date = request.model.date;
        const std::shared_ptr<Model> model = Model::load(options, progress, stop);
        identity = model->info().identity;
        rater = make_local_rater(model, {.parallel = request.scheduler.parallel}, progress, stop);
    }
    // Another file of the same model (quantised otherwise) bears the same name.
    if (identity == subject.identity || rater->model() == subject.name) {
        progress.message(
            LogLevel::warning,
            fmt::format("{} and subject are the same model ({}): it judges texts of its own kind, with the "
                        "same blind spots. Give another --{}",
                        role, rater->model(), role));
    }
    return rater;
}

EvaluationVariant defended(EvaluationVariant variant, const JudgedRequest & request, const Intervention & ablation) {
    variant.name = variant.intervention == nullptr ? "defended" : variant.name + "_defended";
    auto joined = variant.intervention == nullptr ? std::make_shared<Intervention>()
                                                  : std::make_shared<Intervention>(*variant.intervention);
    joined->directions.insert(joined->directions.end(), ablation.directions.begin(), ablation.directions.end());
    variant.intervention = std::move(joined);
    for (const std::string & key : request.guard) {
        variant.steer.push_back(fmt::format("{}:{},mode=ablate", request.defend.string(), key));
    }
    variant.files = intervention_files(variant.steer, variant.scale_neurons);
    return variant;
}

} // namespace

JudgedFiles judged_files(const std::filesystem::path & output, const std::filesystem::path & completions,
                         ProgressSink & progress) {
    return {output.string() + ".part", completions, [&progress](std::string_view text) {
                progress.message(LogLevel::info, text);
            }};
}

std::vector<EvaluationVariant> judged_variants(const JudgedRequest & request, ProgressSink & progress) {
    std::vector<EvaluationVariant> variants = load_variants(request, progress);
    if (request.defend.empty()) {
        return variants;
    }
    const Intervention ablation = load_ablation(request.defend, request.guard, read_model_info(request.model.path));
    const std::vector<EvaluationVariant> open = variants;
    for (const EvaluationVariant & variant : open) {
        variants.push_back(defended(variant, request, ablation));
    }
    return variants;
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
    const std::shared_ptr<Rater> judge = open_rater(request.judge, "judge", request, subject, progress, stop);
    const std::shared_ptr<Rater> classifier =
        open_rater(request.classifier, "classifier", request, subject, progress, stop);
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
