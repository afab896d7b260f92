#include "pipeline/judge_tools.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/fail.h"
#include "base/file.h"
#include "base/random.h"
#include "judge/probe.h"
#include "judge/stage.h"
#include "judge/train.h"
#include "pipeline/open_judge.h"

namespace valuelens {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

struct LabelledFiles {
    std::vector<LabelledText> texts;
    std::string names;
};

LabelledFiles load_files(const std::vector<fs::path> & paths, const ConceptSet & concepts) {
    std::vector<std::string> ids;
    for (const Concept & each : concepts.concepts) {
        ids.push_back(each.id);
    }
    LabelledFiles files;
    for (const fs::path & path : paths) {
        std::vector<LabelledText> part = load_labelled_texts(path, ids);
        std::move(part.begin(), part.end(), std::back_inserter(files.texts));
        files.names += (files.names.empty() ? "" : ", ") + path.filename().string();
    }
    return files;
}

ConceptSet concepts_of(const fs::path & file) {
    return file.empty() ? schwartz10() : load_concept_set(file);
}

} // namespace

JudgeCheck check_judge_on_files(const JudgeCheckRequest & request, ProgressSink & progress, std::stop_token stop) {
    const ConceptSet concepts = concepts_of(request.config.concepts_file);
    LabelledFiles files = load_files(request.labelled, concepts);
    if (request.limit > 0 && request.limit < files.texts.size()) {
        Rng rng(derive_seed(request.options.seed, "judge-check"));
        rng.shuffle(files.texts);
        files.texts.resize(request.limit);
        files.names += fmt::format(" (a sample of {})", request.limit);
    }
    const OpenJudge judge = open_judge(request.config, concepts, {}, progress, stop, /* engine_is_judges = */ true);
    announce_cost(*judge.judge, work_of(files.texts), progress);
    return check_judge(*judge.judge, concepts, files.texts, files.names, request.options, progress, stop);
}

JudgeTrainReport train_probe_file(const JudgeTrainRequest & request, ProgressSink & progress, std::stop_token stop) {
    AtomicFile{request.output}; // a place that cannot be written is said before the work, not after it
    const ConceptSet concepts = concepts_of(request.concepts);
    const LabelledFiles files = load_files(request.labelled, concepts);
    const LabelledFiles held_out = load_files(request.check, concepts);
    const std::shared_ptr<Model> model = Model::load(request.model, progress, stop);
    Scheduler scheduler(model, request.scheduler);

    TrainOptions options;
    options.strengths = request.strengths;
    options.seed = request.seed;
    options.threads = request.threads;
    options.reading.suffix = request.suffix;
    options.reading.skip_first_token = request.skip_first_token;
    std::vector<int> blocks = request.blocks;
    if (blocks.empty()) {
        for (const double place : {0.25, 0.5, 0.75, 0.9}) {
            blocks.push_back(static_cast<int>(std::lround(place * (model->info().n_layer - 1))));
        }
    }
    for (const int block : blocks) {
        options.reading.features.push_back({ProbeFeature::Pooling::text_mean, block});
    }
    for (const int block : blocks) {
        if (!request.suffix.empty()) {
            options.reading.features.push_back({ProbeFeature::Pooling::suffix_last, block});
        }
    }
    TrainResult trained = train_probe(*model, scheduler, concepts, files.texts, options, progress, stop);
    const auto best =
        std::max_element(trained.trials.begin(), trained.trials.end(),
                         [](const TrainTrial & a, const TrainTrial & b) { return a.mean_auroc < b.mean_auroc; });

    JudgeTrainReport report;
    report.probe = request.output.string();
    report.blocks = blocks;
    for (const TrainTrial & trial : trained.trials) {
        report.trials.emplace_back(trial.strength, trial.mean_auroc);
    }
    report.strength = best->strength;
    report.cv_auroc = best->mean_auroc;
    for (std::size_t value = 0; value < trained.auroc.size(); ++value) {
        report.cv_values.emplace_back(trained.probe.values[value], trained.auroc[value]);
    }
    report.n_texts = trained.n_texts;
    report.n_unread = trained.n_unread;

    Probe & probe = trained.probe;
    probe.name = request.output.stem().string();
    // A run elsewhere must find the file, too.
    probe.model = fs::exists(request.model_spec) ? fs::absolute(request.model_spec).string() : request.model_spec;
    probe.attribution = request.attribution.empty() ? files.names : request.attribution;
    json quality = {{"cv_auroc", report.cv_auroc},
                    {"strength", report.strength},
                    {"training", files.names},
                    {"n_training", report.n_texts}};
    if (!held_out.texts.empty()) {
        const std::unique_ptr<Judge> judge =
            make_probe_judge(probe, model, request.scheduler, concepts, ProbePrior::training);
        report.check = check_judge(*judge, concepts, held_out.texts, held_out.names, {}, progress, stop);
        report.checked = true;
        quality["data"] = held_out.names;
        quality["n_texts"] = report.check.n_texts;
        quality["mean_auroc"] = report.check.mean_auroc;
        quality["mean_auroc_interval"] = {report.check.mean_auroc_low, report.check.mean_auroc_high};
    }
    probe.quality = quality.dump();
    save_probe(request.output, probe);
    return report;
}

} // namespace valuelens
