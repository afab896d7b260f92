#include "pipeline/evaluate_tools.h"

#include <algorithm>
#include <cstring>

#include "base/fail.h"
#include "base/file.h"
#include "pipeline/steer_spec.h"

namespace valuelens {

namespace {

constexpr const char * value_slot = "{value}";

std::vector<std::string> fill_value(std::vector<std::string> specs, const std::string & value) {
    for (std::string & spec : specs) {
        for (std::size_t at = spec.find(value_slot); at != std::string::npos; at = spec.find(value_slot, at)) {
            spec.replace(at, std::strlen(value_slot), value);
            at += value.size();
        }
    }
    return specs;
}

} // namespace

bool has_value_slot(const std::vector<std::string> & specs) {
    return std::any_of(specs.begin(), specs.end(),
                       [](const std::string & spec) { return spec.find(value_slot) != std::string::npos; });
}

std::vector<EvaluationVariant> load_variants(const EvaluateRequest & request, ProgressSink & progress) {
    const ModelInfo model = read_model_info(request.model.path);
    const auto load = [&](const std::vector<std::string> & steer, const std::vector<std::string> & scale_neurons) {
        std::vector<EvaluationVariant> variants =
            evaluation_variants(steer, scale_neurons, load_intervention(steer, scale_neurons, model, progress));
        variants.back().files = intervention_files(steer, scale_neurons);
        return variants;
    };
    if (!has_value_slot(request.steer) && !has_value_slot(request.scale_neurons)) {
        return load(request.steer, request.scale_neurons);
    }
    if (request.values.empty()) {
        fail(ErrorKind::usage, "{{value}} in --steer or --scale-neurons stands for no value; give --values");
    }
    std::vector<EvaluationVariant> variants = evaluation_variants({}, {}, nullptr);
    for (const std::string & value : request.values) {
        variants.push_back(load(fill_value(request.steer, value), fill_value(request.scale_neurons, value)).back());
        variants.back().name = value;
    }
    return variants;
}

void require_variants_apart(std::span<const WrittenFile> written, const std::vector<EvaluationVariant> & variants) {
    std::vector<std::filesystem::path> read;
    for (const EvaluationVariant & variant : variants) {
        for (const auto & [file, hash] : variant.files) {
            read.emplace_back(file);
        }
    }
    require_output_apart(written, read);
}

Evaluation evaluate_to_file(const EvaluationTask & task, const EvaluateRequest & request, ProgressSink & progress,
                            std::stop_token stop) {
    check_evaluation_options(request.options);
    AtomicFile{request.output};
    std::vector<EvaluationVariant> variants = load_variants(request, progress);
    require_variants_apart(std::vector<WrittenFile>{{"--output " + request.output.string(), request.output}}, variants);
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
