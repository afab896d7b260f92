#include "valuelens/run.h"

#include <algorithm>

#include "base/fail.h"
#include "base/file.h"
#include "base/folder.h"
#include "judge/stage.h"
#include "pipeline/open_judge.h"
#include "pipeline/run_context.h"
#include "pipeline/run_evaluations.h"
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
    case Stage::evaluate:
        return "evaluate";
    }
    return "";
}

namespace {

/// Written by the stages under the run's lock, so that a side file of theirs is one of a process that was killed.
constexpr const char * run_files[] = {config_file,   "vectors.safetensors", "axes.safetensors", "geometry.json",
                                      "neurons.csv", "neurons.json",        "report.html"};

class Execution {
public:
    Execution(const RunRequest & request, ProgressSink & progress, std::stop_token stop)
        : request_(request), progress_(progress), stop_(std::move(stop)), asked_shard_(asked_shard(request)),
          config_(wanted_config(request)), lock_(prepare_folder(request), request.command),
          db_(open_database(request.folder)), shard_(settle_shard(db_, asked_shard_, request.folder)),
          inputs_(load_inputs()), context_{request, request.folder, config_, db_, inputs_, shard_, progress, stop_} {
        for (const char * name : run_files) {
            remove_side_files(request.folder / name);
        }
        for (const std::string & name : evaluation_names()) {
            remove_side_files(request.folder / evaluation_file(name));
        }
        check_frozen();
        db_.store_inputs(inputs_.concepts, inputs_.queries, inputs_.templates);
        if (!request.rejudge) { // the new judge's keys are stored once it has been opened
            db_.set_meta("config", to_toml(config_));
            write_file(request.folder / config_file, to_toml(config_));
        }
        if (!config_.evaluations.empty()) {
            check_evaluate_config(config_, inputs_.concepts); // before hours of work, as below
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

    /// Whether nothing is left to do here, said in a sentence: of a shard, stages after judging are done only where one
    /// is asked for by itself, and there may be more shards than slices.
    bool ends_before(Stage stage) const {
        if (stage == Stage::evaluate && request_.stages.size() > 1 && config_.evaluations.empty()) {
            return true;
        }
        if (shard_.second == 1 || stage == Stage::generate || request_.stages.size() == 1) {
            return false;
        }
        const std::size_t n_slices = planned_slices(db_);
        if (shard_size(n_slices, shard_.first, shard_.second) == 0) {
            progress_.message(LogLevel::info, fmt::format("shard {} has nothing to do: the run has {} slices",
                                                          to_string(shard_), n_slices));
            return true;
        }
        if (stage > Stage::judge) {
            progress_.message(LogLevel::info,
                              fmt::format("shard {} is done up to judging; vectors come from all {} together: "
                                          "`valuelens merge DIR... --output DIR`",
                                          to_string(shard_), shard_.second));
            return true;
        }
        return false;
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
            case Stage::evaluate:
                evaluate_stage(context_);
                break;
            }
        } catch (const Error & error) {
            log_failure(stage, error.kind() == ErrorKind::interrupted ? "interrupted" : "failed", error.what());
            throw;
        }
        db_.log_stage(to_string(stage), "finished");
    }

private:
    static std::optional<Shard> asked_shard(const RunRequest & request) {
        return request.shard.empty() ? std::nullopt : std::optional(parse_shard(request.shard));
    }

    static const fs::path & prepare_folder(const RunRequest & request) {
        if (request.folder.empty()) {
            fail(ErrorKind::usage, "give the run's folder with --run DIR");
        }
        make_folder(request.folder);
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
    std::optional<Shard> asked_shard_;
    RunConfig config_; ///< settled before the folder is touched
    RunLock lock_;
    RunDb db_;
    Shard shard_;
    RunInputs inputs_;
    RunContext context_;
};

} // namespace

RunSummary execute_run(const RunRequest & asked, ProgressSink & progress, std::stop_token stop) {
    RunRequest request = asked;
    request.folder = shard_folder(asked.folder, parse_shard(asked.shard));
    {
        Execution execution(request, progress, std::move(stop));
        for (const Stage stage : request.stages) {
            if (execution.ends_before(stage)) {
                break;
            }
            execution.run(stage);
        }
    }
    return summarize_run(request.folder);
}

} // namespace valuelens
