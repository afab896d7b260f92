#include "pipeline/judge_batch.h"

#include <algorithm>

#include "base/fail.h"
#include "pipeline/judge_run.h"
#include "pipeline/open_service.h"
#include "pipeline/run_context.h"
#include "pipeline/run_setup.h"
#include "store/run_lock.h"

namespace valuelens {

namespace fs = std::filesystem;

namespace {

RunConfig batch_config(const fs::path & folder) {
    RunRequest request;
    request.folder = folder;
    RunConfig config = wanted_config(request);
    if (config.judge_kind != "server" || config.judge_server.model.empty()) {
        fail(ErrorKind::usage,
             "{}: a batch needs judge.kind = \"server\" and the model's name in judge.server_model (they are '{}' and "
             "'{}')",
             (folder / config_file).string(), config.judge_kind, config.judge_server.model);
    }
    return config;
}

ServerQuestions batch_questions(const RunConfig & config) {
    ServerQuestions questions;
    questions.prompt = load_ask_prompt(config.judge_prompt, config.judge_server.model);
    questions.mode = config.judge_answers == "json" ? AnswerMode::json : AnswerMode::logprobs;
    questions.answer_tokens = static_cast<int>(config.judge_answer_tokens);
    return questions;
}

fs::path database_of(const fs::path & folder) {
    if (!fs::exists(folder / database_file)) {
        fail(ErrorKind::bad_input, "{}: has no responses yet; run `valuelens generate --run {}` first", folder.string(),
             folder.string());
    }
    return folder / database_file;
}

void require_open_slices(const RunDb & db, const fs::path & folder) {
    if (db.finished_slices() == db.finished_judge_slices()) {
        fail(ErrorKind::bad_input, "{}: has no responses without labels{}", folder.string(),
             db.finished_slices().empty() ? "; generate some first" : "");
    }
}

// As a run that is gone on with: only the judge may be another one, and only where its labels are none or forgotten.
void require_same_run(const RunDb & db, const RunConfig & config, const JudgeImportRequest & request) {
    const RunConfig before =
        parse_run_config(db.meta("config").value_or(to_toml(config)), db.path().string() + ": config", request.run);
    std::vector<std::string> differences = frozen_differences(before, config);
    if (request.rejudge || db.finished_judge_slices().empty()) {
        std::erase_if(differences, [](const std::string & difference) { return difference.starts_with("judge."); });
    }
    if (!differences.empty()) {
        fail(ErrorKind::usage, "{}: was begun with another configuration: {}; restore the old values{}",
             request.run.string(), fmt::join(differences, ", "),
             request.rejudge ? "" : ", or forget another judge's labels with --rejudge");
    }
}

} // namespace

JudgeExportReport export_judge_batch(const JudgeExportRequest & request, ProgressSink & progress) {
    const RunConfig config = batch_config(request.run);
    const RunDb db(database_of(request.run), RunDbMode::read_only);
    require_open_slices(db, request.run);
    JudgeExportReport report;
    report.model = config.judge_server.model;
    report.batch = export_batch(db, db.concepts(), batch_questions(config), report.model, request.output,
                                request.answered, request.max_lines);
    report.cost = describe_cost(report.batch.cost, prices_of(config.judge_server));
    if (config.judge_answers == "auto") {
        progress.message(LogLevel::info, "judge: probabilities of the first token are asked for (judge.answers = "
                                         "\"auto\"); where the API does not offer them, set it to \"json\"");
    }
    return report;
}

BatchImport import_judge_batch(const JudgeImportRequest & request, ProgressSink & progress, std::stop_token stop) {
    const RunConfig config = batch_config(request.run);
    const fs::path database = database_of(request.run);
    const RunLock lock(request.run, "valuelens judge import");
    RunDb db(database, RunDbMode::existing);
    require_same_run(db, config, request);
    if (request.rejudge && config.activations == "none") {
        fail(ErrorKind::usage,
             "{}: kept no activations (generate.activations = \"none\"), so other labels cannot be "
             "summed up; begin another run with this judge",
             request.run.string());
    }
    const ServerQuestions questions = batch_questions(config);
    if (request.rejudge) {
        adopt_judge(db, request.run, config);
    }
    require_open_slices(db, request.run);
    db.log_stage("judge", "started", "import");
    const BatchImport report =
        import_batch(db, db.concepts(), questions, config.judge_server.model, judge_stage_options(config),
                     request.results, request.accept_missing, progress, std::move(stop));
    if (report.stage.slices_done > 0) {
        forget_derived_files(db);
        db.set_meta("config", to_toml(config));
        if (db.meta("judge_check").value_or("").empty()) {
            db.set_meta("judge_check", questions.prompt.quality);
        }
    }
    db.log_stage("judge", report.slices_left == 0 ? "finished" : "partly done", "import");
    return report;
}

} // namespace valuelens
