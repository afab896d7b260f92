#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/file.h"
#include "generate/fake_generator.h"
#include "generate/generate.h"
#include "generate/toy_run.h"
#include "judge/fake_judge.h"
#include "judge/stage.h"
#include "pipeline/judge_run.h"
#include "pipeline/run_context.h"
#include "pipeline/run_setup.h"
#include "store/run_lock.h"

namespace valuelens::test {

/// A run whose model and judge are fakes and all else is real.
struct FakeRun {
    std::filesystem::path folder;
    std::size_t n_queries = 24;
    std::optional<Shard> shard;
    std::string judge_name = "fake";
    bool judged = true;
    RunConfig config = small_config();
    std::string query_mark; ///< stands in each query's text

    static RunConfig small_config() {
        RunConfig config;
        config.max_tokens = 8;
        config.slice_size = 9;
        config.seed = 5;
        config.judge_prior = "matched";
        config.min_count = 1;
        config.bootstraps = 20;
        config.permutations = 10;
        config.null_draws = 2;
        config.threads = 1;
        return config;
    }

    /// Of each three queries one expresses every value, one none, and one is anybody's guess.
    static double opinion(const JudgeItem & item, std::size_t value) {
        const int query = std::stoi(item.id.substr(1));
        return query % 3 == 0   ? 0.9
               : query % 3 == 1 ? 0.1
                                : Rng(derive_seed(7, item.id + std::to_string(value))).uniform();
    }

    GenerateOptions options() const {
        GenerateOptions options;
        options.max_tokens = static_cast<int>(config.max_tokens);
        options.slice_size = static_cast<std::size_t>(config.slice_size);
        options.seed = static_cast<std::uint64_t>(config.seed);
        options.activations = config.activations == "none" ? StoredActivations::none : StoredActivations::f32;
        return options;
    }

    /// All stages up to decompose; for a shard, up to judging. What is done is left alone.
    void execute(ProgressSink & progress = silent_progress()) {
        std::filesystem::create_directories(folder);
        const RunLock lock(folder, "fake run");
        RunDb db = open_database(folder);
        const Shard part = settle_shard(db, shard, folder);
        RunInputs inputs{toy_concepts(), toy_templates(5), toy_queries(n_queries)};
        for (Query & query : inputs.queries) {
            query.text += query_mark;
        }
        db.store_inputs(inputs.concepts, inputs.queries, inputs.templates);
        db.set_meta("config", to_toml(config));
        write_file(folder / config_file, to_toml(config));

        FakeGenerator generator;
        GenerateOptions options = this->options();
        options.shard_index = part.first;
        options.shard_count = part.second;
        const GenerationPlan plan = plan_generation(inputs.concepts, inputs.queries, inputs.templates, options);
        db.set_meta("slices_planned", std::to_string(plan.n_slices));
        db.set_meta("model_identity", generator.info().identity);
        verify_shards(db, folder, progress);
        if (!open_slices(plan, options, db.finished_slices()).empty()) {
            forget_derived_files(db);
        }
        FakeJudge judge(opinion, judge_name);
        const JudgeStageOptions judging = judge_stage_options(config);
        SliceLabeller labeller;
        if (options.activations == StoredActivations::none) {
            claim_judge(db, judge, judging);
            labeller = [&](std::span<const ResponseRow> responses) {
                return label_responses(responses, inputs.concepts, judge, judging, silent_progress(), {});
            };
        }
        run_generate(db, folder, plan, generator, options, progress, {}, labeller);
        if (!judged) {
            return;
        }
        if (!judge_stage_done(db) && !db.finished_slices().empty()) {
            forget_derived_files(db);
            run_judge(db, inputs.concepts, judge, judging, progress);
        }
        if (part.second == 1) {
            derive(db, inputs, progress);
        }
    }

    /// The stages after judging, of a folder that holds a whole run.
    void derive(RunDb & db, const RunInputs & inputs, ProgressSink & progress = silent_progress()) {
        RunRequest request;
        request.folder = folder;
        RunContext context{request, folder, config, db, inputs, {0, 1}, progress, {}};
        vectors_stage(context);
        decompose_stage(context);
    }

    std::string vectors() const { return read_file(folder / "vectors.safetensors"); }
    std::string axes() const { return read_file(folder / "axes.safetensors"); }
};

/// All that a run yields, without times and timings.
inline std::vector<std::string> contents_of(const std::filesystem::path & folder) {
    const RunDb db(folder / database_file, RunDbMode::read_only);
    std::vector<std::string> lines;
    db.for_each_response({}, [&](const ResponseRow & row) {
        lines.push_back(fmt::format("{} {} {} {} {}", row.id, row.position, row.slice, row.text, row.logprob_sum));
    });
    db.for_each_label([&](const StoredLabel & stored) {
        lines.push_back(fmt::format("{} {} {} {}", stored.label.response_id, stored.label.value_id,
                                    stored.label.probability.value_or(-1),
                                    stored.label.expresses ? (*stored.label.expresses ? "yes" : "no") : "-"));
    });
    for (const SliceRow & slice : db.slices()) {
        lines.push_back(fmt::format("{} {} {} {}", slice.slice, slice.n, slice.shard.value_or("-"),
                                    slice.shard_sha256.value_or("-")));
    }
    return lines;
}

} // namespace valuelens::test
