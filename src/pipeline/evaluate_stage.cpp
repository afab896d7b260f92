#include <algorithm>

#include "base/fail.h"
#include "base/folder.h"
#include "base/hash.h"
#include "pipeline/evaluate_judged.h"
#include "pipeline/evaluate_matrix.h"
#include "pipeline/run_context.h"
#include "pipeline/run_evaluations.h"
#include "pipeline/run_setup.h"
#include "pipeline/watch.h"

namespace valuelens {

namespace {

constexpr const char * axes_file = "axes.safetensors";

/// Everything that the evaluation `name` depends on.
std::string fingerprint(const RunContext & run, const std::string & name, const std::vector<MatrixCell> & cells,
                        const MatrixFiles & files) {
    const RunConfig & config = run.config;
    Sha256 hash;
    for (const auto & file : files) {
        hash.update(file.second);
    }
    hash.update(fmt::format("{} {} {} {} {} {}\n{}", VALUELENS_VERSION, name,
                            run.db.meta("model_identity").value_or(""), config.parallel, config.ctx_size,
                            config.kv_type, evaluation_settings(name, config)));
    for (const MatrixCell & cell : cells) {
        hash.update(fmt::format("\n{} {}", cell.name, cell.steer));
    }
    return hash.hex();
}

/// What the evaluations of one run share. All of it is loaded when it is first needed: a run that is done needs none.
class Bench {
public:
    Bench(RunContext & run, const MatrixFiles & files) : run_(run), files_(files), options_(run_model_options(run)) {
        info_ = read_model_info(options_.path);
        if (info_.identity != run.db.meta("model_identity")) {
            fail_other_model(run, info_);
        }
    }

    const std::shared_ptr<Model> & model() {
        if (model_ == nullptr) {
            model_ = Model::load(options_, run_.progress, run_.stop);
        }
        return model_;
    }

    std::shared_ptr<Rater> judge() {
        if (judge_ == nullptr) {
            const RaterRequest wanted = run_judge(run_.config);
            judge_ = open_rater(
                wanted, "judge",
                run_.config.written.judge_model.empty() ? "evaluate_written.url" : "evaluate_written.model",
                {options_, info_, static_cast<int>(run_.config.parallel), static_cast<std::uint64_t>(run_.config.seed)},
                run_.progress, run_.stop);
        }
        return judge_;
    }

    OpenEmbedding embedding_opener() const {
        return valuelens::embedding_opener(run_.config.written.embedding_model, options_, run_.progress, run_.stop);
    }

    MatrixVariants variants(const std::string & name, const std::vector<MatrixCell> & cells) const {
        MatrixVariants loaded = load_cells(run_.folder, cells, files_, info_, run_.progress);
        if (name == "compliance" && run_.config.written.defend) {
            const std::vector<std::string> keys = {"compliance"};
            Defence defence{load_ablation(run_.folder / axes_file, keys, info_),
                            {fmt::format("{}:compliance,mode=ablate", axes_file)},
                            {files_.front()}};
            loaded.variants = with_defence(std::move(loaded.variants), defence);
        }
        return loaded;
    }

private:
    RunContext & run_;
    const MatrixFiles & files_;
    ModelOptions options_;
    ModelInfo info_;
    std::shared_ptr<Model> model_;
    std::shared_ptr<Rater> judge_;
};

void do_evaluation(RunContext & run, const std::string & name, const std::vector<MatrixCell> & cells, Bench & bench,
                   const std::filesystem::path & output) {
    TaskTools tools;
    if (is_judged(name)) {
        tools.files = judged_files(output, {}, run.progress);
    }
    // Directions first: what is wrong with them is said before a judge is asked or a model loaded.
    MatrixVariants loaded = bench.variants(name, cells);
    if (is_judged(name)) {
        tools.judge = bench.judge();
    } else if (name == "diversity") {
        tools.open_embedding = bench.embedding_opener();
    }
    const auto task = make_run_task(name, run.config, run.inputs.concepts, tools);
    Evaluation evaluation =
        evaluate(*task, bench.model(), run_scheduler_options(run.config), std::move(loaded.variants),
                 run_evaluation_options(name, run.config), run.progress, run.stop);
    evaluation.notes.insert(evaluation.notes.end(), loaded.notes.begin(), loaded.notes.end());
    write_evaluation(output, evaluation);
    std::error_code nothing_there;
    std::filesystem::remove(tools.files.part, nothing_there);
}

} // namespace

void check_evaluate_config(const RunConfig & config, const ConceptSet & concepts) {
    matrix_cells(chosen_matrix(config), concepts);
    matrix_cells(written_matrix(config), concepts);
    run_judge(config);
    const std::vector<std::string> wanted = wanted_evaluations(config);
    for (const std::string & name : wanted) {
        make_run_task(name, config, concepts, {});
        if (name == "diversity" && !config.written.embedding_model.empty()) {
            require_known_model(config.written.embedding_model, "evaluate_written.embedding_model");
        }
    }
    const bool judged = std::any_of(wanted.begin(), wanted.end(), is_judged);
    if (judged && !config.written.judge_model.empty()) {
        require_known_model(config.written.judge_model, "evaluate_written.model");
    }
}

void evaluate_stage(RunContext & run) {
    const std::string folder = run.folder.string();
    const std::vector<std::string> wanted = wanted_evaluations(run.config);
    if (wanted.empty()) {
        fail(ErrorKind::usage, "{}: its config asks for no evaluation; name some in evaluate.evaluations: {}", folder,
             fmt::join(evaluation_names(), ", "));
    }
    if (!has_derived_file(run.db, run.folder, axes_file)) {
        fail(ErrorKind::usage, "{}: has no axes yet; run `valuelens decompose --run {}` first", folder, folder);
    }
    const std::vector<MatrixCell> chosen = matrix_cells(chosen_matrix(run.config), run.inputs.concepts);
    const std::vector<MatrixCell> written = matrix_cells(written_matrix(run.config), run.inputs.concepts);
    const MatrixFiles files = matrix_files(run.folder);
    make_folder(run.folder / "evaluation");
    std::unique_ptr<Bench> bench;
    for (const std::string & name : wanted) {
        const std::vector<MatrixCell> & cells = is_written(name) ? written : chosen;
        DerivedFile output(run, evaluation_file(name), fingerprint(run, name, cells, files));
        if (output.is_current()) {
            run.progress.message(LogLevel::info, fmt::format("evaluate: {} was done before", name));
            continue;
        }
        if (bench == nullptr) {
            bench = std::make_unique<Bench>(run, files);
        }
        do_evaluation(run, name, cells, *bench, output.path());
        output.record();
    }
}

} // namespace valuelens
