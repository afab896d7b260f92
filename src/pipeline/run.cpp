#include "valuelens/run.h"

#include <algorithm>

#include "base/fail.h"
#include "base/file.h"
#include "judge/stage.h"
#include "pipeline/open_judge.h"
#include "pipeline/run_context.h"
#include "pipeline/run_inputs.h"
#include "pipeline/run_setup.h"
#include "store/run_db.h"
#include "store/run_lock.h"

namespace valuelens {

namespace fs = std::filesystem;

const char * to_string(Stage stage) {
    switch (stage) {
    case Stage::generate:
        return "generate";
    case Stage::judge:
        return "judge";
    case Stage::vectors:
        return "vectors";
    case Stage::decompose:
        return "decompose";
    case Stage::neurons:
        return "neurons";
    }
    return "";
}

namespace {

class Execution {
public:
    Execution(const RunRequest & request, ProgressSink & progress, std::stop_token stop)
        : request_(request), progress_(progress), stop_(std::move(stop)), shard_(parse_shard(request.shard)),
          config_(wanted_config(request)), lock_(prepare_folder(request), request.command),
          db_(open_database(request.folder)),
          inputs_(load_inputs()), context_{request, request.folder, config_, db_, inputs_, shard_, progress, stop_} {
        check_frozen();
        db_.store_inputs(inputs_.concepts, inputs_.queries, inputs_.templates);
        if (!request.rejudge) { // the new judge's keys are stored once it has been opened
            db_.set_meta("config", to_toml(config_));
            write_file(request.folder / config_file, to_toml(config_));
        }
        const bool will_judge =
            std::find(request.stages.begin(), request.stages.end(), Stage::judge) != request.stages.end();
        if (will_judge && !judge_stage_done(db_)) {
            check_judge_config(config_, inputs_.concepts, progress_, stop_); // before hours of generating, not after
        }
    }

    // A run holds its inputs: where the files are gone (or the run was moved), it goes on with its own.
    RunInputs load_inputs() const {
        const auto gone = [](const std::string & file) {
            return !file.empty() && !fs::exists(file);
        };
        if (db_.has_inputs() &&
            (gone(config_.queries_file) || gone(config_.concepts_file) || gone(config_.templates_file))) {
            return {db_.concepts(), db_.templates(), db_.queries()};
        }
        return load_run_inputs(config_, progress_);
    }

    // What the run was begun with stands in its database: config.toml lies open to editing.
    void check_frozen() {
        const std::optional<std::string> begun = db_.meta("config");
        if (!begun) {
            return;
        }
        const RunConfig before = parse_run_config(*begun, db_.path().string() + ": config", request_.folder);
        std::vector<std::string> differences = frozen_differences(before, config_);
        const auto of_judge = [](const std::string & difference) {
            return difference.starts_with("judge.");
        };
        const bool judge_alone = !differences.empty() && std::all_of(differences.begin(), differences.end(), of_judge);
        if (request_.rejudge) {
            std::erase_if(differences, of_judge);
        }
        if (!differences.empty()) {
            fail(ErrorKind::usage,
                 "{}: was begun with another configuration: {}; give another --run, or the old values{}",
                 request_.folder.string(), fmt::join(differences, ", "),
                 judge_alone && config_.activations != "none" ? ", or judge anew with `valuelens judge --rejudge`"
                                                              : "");
        }
        if (config_.model != before.model) {
            refuse_another_model(before.model);
        }
    }

    // A finished stage needs no model, but the run must not seem to be one of the model that is named now.
    void refuse_another_model(const std::string & before) {
        const std::optional<std::string> known = db_.meta("model_identity");
        const std::optional<fs::path> file = local_model(config_.model);
        if (!known || !file) {
            progress_.message(LogLevel::warning,
                              fmt::format("{} is not here to be compared with the run's model; the run keeps {}",
                                          config_.model, before));
            config_.model = before;
            return;
        }
        if (const ModelInfo info = read_model_info(file->string()); info.identity != *known) {
            fail_other_model(context_, info);
        }
    }

    void run(Stage stage) {
        db_.log_stage(to_string(stage), "started");
        try {
            switch (stage) {
            case Stage::generate:
                generate_stage(context_);
                break;
            case Stage::judge:
                judge_stage(context_);
                break;
            case Stage::vectors:
                vectors_stage(context_);
                break;
            case Stage::decompose:
                decompose_stage(context_);
                break;
            case Stage::neurons:
                neurons_stage(context_);
                break;
            }
        } catch (const Error & error) {
            log_failure(stage, error.kind() == ErrorKind::interrupted ? "interrupted" : "failed", error.what());
            throw;
        }
        db_.log_stage(to_string(stage), "finished");
    }

private:
    static const fs::path & prepare_folder(const RunRequest & request) {
        if (request.folder.empty()) {
            fail(ErrorKind::usage, "give the run's folder with --run DIR");
        }
        std::error_code error;
        fs::create_directories(request.folder, error);
        if (error) {
            fail(ErrorKind::bad_input, "{}: the run's folder cannot be made ({})", request.folder.string(),
                 error.message());
        }
        return request.folder;
    }

    // The log is a courtesy: where it cannot be written (a full disk), the cause itself must come through.
    void log_failure(Stage stage, const char * event, const char * cause) {
        try {
            db_.log_stage(to_string(stage), event, cause);
        } catch (const Error &) {
        }
    }

    const RunRequest & request_;
    ProgressSink & progress_;
    std::stop_token stop_;
    std::pair<int, int> shard_; ///< index, count
    RunConfig config_;          ///< settled before the folder is touched
    RunLock lock_;
    RunDb db_;
    RunInputs inputs_;
    RunContext context_;
};

} // namespace

RunSummary execute_run(const RunRequest & request, ProgressSink & progress, std::stop_token stop) {
    {
        Execution execution(request, progress, std::move(stop));
        for (const Stage stage : request.stages) {
            execution.run(stage);
        }
    }
    return summarize_run(request.folder);
}

} // namespace valuelens
