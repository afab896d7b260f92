#include <nlohmann/json.hpp>

#include "base/fail.h"
#include "base/file.h"
#include "judge/stage.h"
#include "pipeline/judge_run.h"
#include "pipeline/run_context.h"
#include "pipeline/run_setup.h"

namespace valuelens {

using nlohmann::json;

JudgeStageOptions judge_stage_options(const RunConfig & config) {
    // A probability can be recentred; labels that somebody gave, or a count of words, are taken as they are.
    return {config.undecided_low, config.undecided_high,
            config.judge_prior == "matched" && config.judge_kind != "file" && config.judge_kind != "dictionary"};
}

OpenJudge open_run_judge(RunContext & run) {
    return open_judge(run.config, run.inputs.concepts,
                      {run.db.meta("model_name").value_or(""), run.db.meta("model_identity").value_or("")},
                      run.progress, run.stop, /* engine_is_judges = */ false, run.folder / judge_answers_file);
}

void record_judge_quality(RunContext & run, const OpenJudge & judge) {
    const RunConfig & config = run.config;
    if (!config.judge_check.empty() && run.db.meta("judge_check").value_or("").empty()) {
        const std::vector<LabelledText> texts = load_labelled_texts(config.judge_check, run.inputs.value_ids());
        announce_cost(*judge.judge, work_of(texts), run.progress);
        const JudgeCheckOptions options{config.undecided_low, config.undecided_high, 200,
                                        static_cast<std::uint64_t>(config.seed)};
        const JudgeCheck check =
            check_judge(*judge.judge, run.inputs.concepts, texts, config.judge_check, options, run.progress, run.stop);
        run.db.set_meta("judge_check", json({{"data", check.data},
                                             {"n_texts", check.n_texts},
                                             {"mean_auroc", check.mean_auroc},
                                             {"mean_auroc_interval", {check.mean_auroc_low, check.mean_auroc_high}}})
                                           .dump());
    } else if (config.judge_check.empty()) {
        run.db.set_meta("judge_check", judge.quality);
    }
    if (run.db.meta("judge_check").value_or("").empty()) {
        run.progress.message(LogLevel::warning,
                             "judge: how well it agrees with people is not known; measure it with `valuelens "
                             "judge-check`, or name human labels in judge.check");
    }
}

void adopt_judge(RunDb & db, const std::filesystem::path & folder, const RunConfig & config) {
    db.clear_labels({{"judge", ""},
                     {"judge_decided", ""},
                     {"judge_medians", ""},
                     {"judge_check", ""},
                     {"config", to_toml(config)}});
    write_file(folder / config_file, to_toml(config));
}

void judge_stage(RunContext & run) {
    if (run.db.finished_slices().empty()) {
        fail(ErrorKind::usage, "{}: has no responses to judge yet; run `valuelens generate --run {}` first",
             run.folder.string(), run.folder.string());
    }
    if (run.request.rejudge && run.config.activations == "none") {
        fail(ErrorKind::usage,
             "{}: kept no activations (generate.activations = \"none\"), so other labels cannot be summed up; begin "
             "another run with this judge",
             run.folder.string());
    }
    if (!run.request.rejudge && judge_stage_done(run.db)) {
        run.progress.message(LogLevel::info, "judge: done before");
        return;
    }
    const OpenJudge judge = open_run_judge(run);
    if (run.request.rejudge) { // only now: the new judge is there
        adopt_judge(run.db, run.folder, run.config);
    }
    forget_derived_files(run.db);
    if (run.config.judge_kind == "server") {
        announce_cost(*judge.judge, work_left(run.db, run.inputs.concepts.concepts.size()), run.progress);
    }
    record_judge_quality(run, judge);
    run_judge(run.db, run.inputs.concepts, *judge.judge, judge_stage_options(run.config), run.progress, run.stop);
    remove_file(run.folder / judge_answers_file);
}

} // namespace valuelens
