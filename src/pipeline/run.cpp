#include "valuelens/run.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

#include "base/fail.h"
#include "base/file.h"
#include "base/hash.h"
#include "generate/generate.h"
#include "judge/stage.h"
#include "pipeline/open_judge.h"
#include "pipeline/run_inputs.h"
#include "pipeline/run_setup.h"
#include "store/run_db.h"
#include "store/run_lock.h"
#include "valuelens/models.h"
#include "vectors/compute.h"
#include "vectors/stored_activations.h"

namespace valuelens {

namespace fs = std::filesystem;
using nlohmann::json;

const char * to_string(Stage stage) {
    switch (stage) {
    case Stage::generate:
        return "generate";
    case Stage::judge:
        return "judge";
    case Stage::vectors:
        return "vectors";
    }
    return "";
}

namespace {

constexpr const char * vectors_file = "vectors.safetensors";

class Execution {
public:
    Execution(const RunRequest & request, ProgressSink & progress, std::stop_token stop)
        : request_(request), progress_(progress), stop_(std::move(stop)), shard_(parse_shard(request.shard)),
          config_(wanted_config(request)), lock_(prepare_folder(request), request.command),
          db_(open_database(request.folder)), inputs_(load_inputs()) {
        check_frozen();
        db_.store_inputs(inputs_.concepts, inputs_.queries, inputs_.templates);
        if (!request.rejudge) { // the new judge's keys are stored once it has been opened
            db_.set_meta("config", to_toml(config_));
            write_file(request.folder / config_file, to_toml(config_));
        }
        const bool will_judge =
            std::find(request.stages.begin(), request.stages.end(), Stage::judge) != request.stages.end();
        if (will_judge && !judge_stage_done(db_)) {
            check_judge_config(config_, inputs_.concepts); // before hours of generating, not after
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
        if (config_.judge_kind == "ask" && before.judge_model != config_.judge_model) {
            differences.push_back(fmt::format("judge.model (was {}, now {})", before.judge_model, config_.judge_model));
        }
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
                 judge_alone ? ", or judge anew with `valuelens judge --rejudge`" : "");
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
            fail_other_model(info);
        }
    }

    [[noreturn]] void fail_other_model(const ModelInfo & now) const {
        fail(ErrorKind::usage,
             "{}: was begun with the model {} ({}), now it is {} ({}); give another --run, or the old model",
             request_.folder.string(), db_.meta("model_name").value_or("?"),
             db_.meta("model_description").value_or("?"), now.name, now.description);
    }

    void run(Stage stage) {
        db_.log_stage(to_string(stage), "started");
        try {
            switch (stage) {
            case Stage::generate:
                generate();
                break;
            case Stage::judge:
                judge();
                break;
            case Stage::vectors:
                vectors();
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

    GenerateOptions generate_options() const {
        GenerateOptions options;
        options.max_tokens = static_cast<int>(config_.max_tokens);
        options.sampling.temperature = static_cast<float>(config_.temperature);
        options.sampling.top_k = static_cast<int>(config_.top_k);
        options.sampling.top_p = static_cast<float>(config_.top_p);
        options.sampling.min_p = static_cast<float>(config_.min_p);
        options.seed = static_cast<std::uint64_t>(config_.seed);
        options.slice_size = static_cast<std::size_t>(config_.slice_size);
        options.activations = config_.activations == "f16" ? StoredActivations::f16 : StoredActivations::f32;
        options.shard_index = shard_.first;
        options.shard_count = shard_.second;
        return options;
    }

    std::size_t slices_left(const GenerationPlan & plan) const {
        const std::set<std::size_t> finished = db_.finished_slices();
        std::size_t left = 0;
        for (std::size_t slice = 0; slice < plan.n_slices; ++slice) {
            left += static_cast<int>(slice % static_cast<std::size_t>(shard_.second)) == shard_.first &&
                            finished.count(slice) == 0
                        ? 1
                        : 0;
        }
        return left;
    }

    void generate() {
        const GenerateOptions options = generate_options();
        const GenerationPlan plan = plan_generation(inputs_.concepts, inputs_.queries, inputs_.templates, options);
        db_.set_meta("slices_planned", std::to_string(plan.n_slices));
        verify_shards(db_, request_.folder, progress_, stop_);
        if (slices_left(plan) == 0) {
            progress_.message(LogLevel::info, "generate: done before");
            return;
        }
        db_.set_meta("vectors_inputs", ""); // what comes makes the vectors stale
        ModelOptions model_options;
        model_options.path =
            resolve_model(config_.model, {static_cast<int>(config_.threads)}, progress_, stop_).string();
        model_options.threads = static_cast<int>(config_.threads);
        model_options.n_gpu_layers = static_cast<int>(config_.n_gpu_layers);
        model_options.chat_template = config_.chat_template;
        model_options.chat_template_kwargs = config_.chat_template_kwargs;
        model_options.date = config_.date;
        const std::shared_ptr<Model> model = Model::load(model_options, progress_, stop_);
        const std::optional<std::string> known = db_.meta("model_identity");
        if (known && *known != model->info().identity) {
            fail_other_model(model->info());
        }
        db_.set_meta("model_identity", model->info().identity);
        db_.set_meta("model_name", model->info().name);
        db_.set_meta("model_description", model->info().description);
        SchedulerOptions scheduler;
        scheduler.parallel = static_cast<int>(config_.parallel);
        scheduler.ctx_size = static_cast<int>(config_.ctx_size);
        scheduler.kv_type = config_.kv_type;
        const std::unique_ptr<Generator> generator = make_generator(model, scheduler);
        announce(plan, *generator, options);
        const GenerateResult result = run_generate(db_, request_.folder, plan, *generator, options, progress_, stop_);
        if (result.stats.seconds > 0) {
            progress_.message(LogLevel::info,
                              fmt::format("generate: {} responses, {:.0f} tokens/s", result.responses,
                                          static_cast<double>(result.stats.generated_tokens) / result.stats.seconds));
        }
        if (result.dropped > 0) {
            progress_.message(
                LogLevel::warning,
                fmt::format("generate: {} responses left out; `valuelens status --run {}` counts the reasons",
                            result.dropped, request_.folder.string()));
        }
    }

    // How much and about how long, before hours are spent: a few responses are written and thrown away to measure this
    // model on this machine.
    void announce(const GenerationPlan & plan, Generator & generator, const GenerateOptions & options) {
        const GenerateEstimate estimate = estimate_generation(plan, generator, options, db_.finished_slices());
        require_disk_space(estimate, request_.folder);
        constexpr std::size_t worth_measuring = 16;
        std::string duration;
        if (estimate.responses >= worth_measuring) {
            std::vector<Request> sample;
            const std::size_t n =
                std::clamp<std::size_t>(estimate.responses / 8, 1, static_cast<std::size_t>(config_.parallel));
            std::size_t prompt_tokens = 0;
            for (std::size_t i = 0; i < n; ++i) {
                const PlannedResponse & planned = plan.responses[i * plan.responses.size() / n];
                Request request;
                request.prompt = generator.render(planned.system, plan.queries[planned.query].text).tokens;
                request.max_tokens = std::min(8, options.max_tokens);
                request.ignore_eos = true;
                prompt_tokens += request.prompt.size();
                sample.push_back(std::move(request));
            }
            SchedulerStats stats;
            generator.run(
                sample, [](const Response &) {}, silent_progress(), stop_, stats);
            const double per_row =
                stats.seconds / static_cast<double>(std::max<std::size_t>(1, prompt_tokens + stats.generated_tokens));
            const double minutes =
                per_row * static_cast<double>(estimate.prompt_tokens + estimate.max_response_tokens) / 60;
            duration = fmt::format(", about {:.0f} {} here at most", minutes < 2 ? minutes * 60 : minutes,
                                   minutes < 2 ? "seconds" : "minutes");
        }
        progress_.message(LogLevel::info,
                          fmt::format("generate: {} responses to write, up to {} tokens in all, {:.0f} MB of disk{}",
                                      estimate.responses, estimate.max_response_tokens,
                                      static_cast<double>(estimate.disk_bytes) / 1e6, duration));
    }

    void judge() {
        const std::set<std::size_t> finished = db_.finished_slices();
        if (finished.empty()) {
            fail(ErrorKind::usage, "{}: has no responses to judge yet; run `valuelens generate --run {}` first",
                 request_.folder.string(), request_.folder.string());
        }
        // A probability can be recentred; labels that somebody gave, or a count of words, are taken as they are.
        const JudgeStageOptions stage{config_.undecided_low, config_.undecided_high,
                                      config_.judge_prior == "matched" &&
                                          (config_.judge_kind == "probe" || config_.judge_kind == "ask")};
        if (!request_.rejudge && judge_stage_done(db_)) {
            progress_.message(LogLevel::info, "judge: done before");
            return;
        }
        OpenJudge judge = open_judge(config_, inputs_.concepts,
                                     {db_.meta("model_name").value_or(""), db_.meta("model_identity").value_or("")},
                                     progress_, stop_);
        if (request_.rejudge) { // only now: the new judge is there
            db_.clear_labels({{"judge", ""},
                              {"judge_decided", ""},
                              {"judge_medians", ""},
                              {"judge_check", ""},
                              {"vectors_inputs", ""},
                              {"config", to_toml(config_)}});
            write_file(request_.folder / config_file, to_toml(config_));
        }
        db_.set_meta("vectors_inputs", "");
        if (!config_.judge_check.empty() && db_.meta("judge_check").value_or("").empty()) {
            std::vector<std::string> ids;
            for (const Concept & each : inputs_.concepts.concepts) {
                ids.push_back(each.id);
            }
            const std::vector<LabelledText> texts = load_labelled_texts(config_.judge_check, ids);
            const JudgeCheckOptions options{config_.undecided_low, config_.undecided_high, 200,
                                            static_cast<std::uint64_t>(config_.seed)};
            const JudgeCheck check =
                check_judge(*judge.judge, inputs_.concepts, texts, config_.judge_check, options, progress_, stop_);
            db_.set_meta("judge_check", json({{"data", check.data},
                                              {"n_texts", check.n_texts},
                                              {"mean_auroc", check.mean_auroc},
                                              {"mean_auroc_interval", {check.mean_auroc_low, check.mean_auroc_high}}})
                                            .dump());
        } else if (config_.judge_check.empty()) {
            db_.set_meta("judge_check", judge.quality);
        }
        if (db_.meta("judge_check").value_or("").empty()) {
            progress_.message(LogLevel::warning, "judge: how well it agrees with people is not known; measure it with "
                                                 "`valuelens judge-check`, or name human "
                                                 "labels in judge.check");
        }
        run_judge(db_, inputs_.concepts, *judge.judge, stage, progress_, stop_);
    }

    void vectors() {
        const std::vector<fs::path> shards = shard_paths(db_, request_.folder);
        const std::vector<StoredLabel> stored = db_.labels();
        if (!shards.empty() && !judge_stage_done(db_)) {
            fail(ErrorKind::usage, "{}: judging is not finished; run `valuelens judge --run {}` first",
                 request_.folder.string(), request_.folder.string());
        }
        if (shards.empty() || stored.empty()) {
            fail(ErrorKind::usage, "{}: has no {} yet; run `valuelens {} --run {}` first", request_.folder.string(),
                 shards.empty() ? "activations" : "labels", shards.empty() ? "generate" : "judge",
                 request_.folder.string());
        }
        std::vector<Label> labels;
        Sha256 hash;
        for (const StoredLabel & label : stored) {
            if (label.label.expresses) {
                labels.push_back({label.label.response_id, label.label.value_id, label.condition,
                                  *label.label.expresses, label.query_id});
                hash.update(
                    fmt::format("{}\n{}\n{}\n", label.label.response_id, label.label.value_id, *label.label.expresses));
            }
        }
        for (const SliceRow & slice : db_.slices()) {
            hash.update(slice.shard_sha256.value_or("") + "\n");
        }
        VectorOptions options;
        options.min_count = static_cast<std::size_t>(config_.min_count);
        options.held_out = config_.held_out;
        options.bootstraps = static_cast<std::size_t>(config_.bootstraps);
        options.confidence = config_.confidence;
        options.seed = static_cast<std::uint64_t>(config_.seed);
        options.threads = static_cast<unsigned>(config_.threads);
        hash.update(fmt::format("{} {} {} {} {} {}", VALUELENS_VERSION, options.min_count, options.held_out,
                                options.bootstraps, options.confidence, options.seed));
        const std::string fingerprint = hash.hex();
        const fs::path output = request_.folder / vectors_file;
        if (db_.meta("vectors_inputs") == fingerprint && fs::exists(output) &&
            db_.meta("vectors_sha256") == sha256_file(output)) {
            progress_.message(LogLevel::info, "vectors: done before");
            return;
        }
        if (labels.empty()) {
            fail(ErrorKind::bad_input,
                 "{}: all {} labels are undecided; narrow the undecided band, or use another judge",
                 request_.folder.string(), stored.size());
        }
        const ActivationReader reader(shards);
        const JoinedLabels joined =
            join_labels(reader, labels, inputs_.value_ids(), (request_.folder / database_file).string(),
                        (request_.folder / "activations").string());
        ValueVectorSet set = compute_value_vectors(StoredActivationSource(reader), joined.responses, joined.values,
                                                   options, progress_, stop_);
        set.notes.insert(set.notes.end(), joined.notes.begin(), joined.notes.end());
        write_value_vectors(output, set);
        db_.set_meta("vectors_sha256", sha256_file(output));
        db_.set_meta("vectors_inputs", fingerprint);
    }

    const RunRequest & request_;
    ProgressSink & progress_;
    std::stop_token stop_;
    std::pair<int, int> shard_; ///< index, count
    RunConfig config_;          ///< settled before the folder is touched
    RunLock lock_;
    RunDb db_;
    RunInputs inputs_;
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
