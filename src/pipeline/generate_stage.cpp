#include <algorithm>

#include "base/fail.h"
#include "generate/generate.h"
#include "generate/server_generator.h"
#include "judge/stage.h"
#include "pipeline/judge_run.h"
#include "pipeline/open_service.h"
#include "pipeline/run_context.h"
#include "pipeline/run_setup.h"
#include "pipeline/spec_text.h"

namespace valuelens {

namespace {

GenerateOptions generate_options(const RunContext & run) {
    const RunConfig & config = run.config;
    GenerateOptions options;
    options.max_tokens = static_cast<int>(config.max_tokens);
    options.sampling.temperature = static_cast<float>(config.temperature);
    options.sampling.top_k = static_cast<int>(config.top_k);
    options.sampling.top_p = static_cast<float>(config.top_p);
    options.sampling.min_p = static_cast<float>(config.min_p);
    options.seed = static_cast<std::uint64_t>(config.seed);
    options.slice_size = static_cast<std::size_t>(config.slice_size);
    options.activations = config.activations == "none"  ? StoredActivations::none
                          : config.activations == "f16" ? StoredActivations::f16
                                                        : StoredActivations::f32;
    options.shard_index = run.shard.first;
    options.shard_count = run.shard.second;
    return options;
}

/// Throws Error(usage) for layers of later stages that the model does not have: hours before they would find it.
void check_layers(const RunConfig & config, int n_layer) {
    for (const auto & [key, layers] : {std::pair("decompose.layers", &config.decompose_layers),
                                       std::pair("evaluate.layers", &config.evaluate_layers)}) {
        const std::optional<LayerRange> range = parse_layer_range(*layers);
        if (range && range->last >= n_layer) {
            fail(ErrorKind::usage, "{} is \"{}\", which reaches beyond the model, whose blocks are 0-{}", key, *layers,
                 n_layer - 1);
        }
    }
}

std::unique_ptr<Generator> open_generator(RunContext & run) {
    const RunConfig & config = run.config;
    std::unique_ptr<ChatService> service; // before the model is loaded: a server is refused in a moment
    if (config.generate_source == "server") {
        service = open_service(config.generate_server, "generate.url", run.progress, run.stop);
    }
    std::shared_ptr<Model> model = Model::load(run_model_options(run), run.progress, run.stop);
    const std::optional<std::string> known = run.db.meta("model_identity");
    if (known && *known != model->info().identity) {
        fail_other_model(run, model->info());
    }
    check_layers(config, model->info().n_layer);
    run.db.set_meta("model_identity", model->info().identity);
    run.db.set_meta("model_name", model->info().name);
    run.db.set_meta("model_description", model->info().description);
    std::unique_ptr<Generator> local = make_generator(model, run_scheduler_options(config));
    if (service == nullptr) {
        return local;
    }
    return make_server_generator(std::move(local), std::move(service),
                                 {config.chat_template_kwargs,
                                  [model](std::string_view text) { return model->tokenize(text, false, false); },
                                  run.folder / generate_answers_file});
}

// How long, measured: a few responses are written and thrown away. Empty where the run is too short to be worth it.
std::string expected_duration(RunContext & run, const GenerationPlan & plan, Generator & generator,
                              const GenerateOptions & options, const GenerateEstimate & estimate) {
    constexpr std::size_t worth_measuring = 16;
    if (estimate.responses < worth_measuring) {
        return {};
    }
    std::vector<Request> sample;
    const std::size_t n =
        std::clamp<std::size_t>(estimate.responses / 8, 1, static_cast<std::size_t>(run.config.parallel));
    std::size_t prompt_tokens = 0;
    for (std::size_t i = 0; i < n; ++i) {
        const PlannedResponse planned = plan.response(i * plan.size() / n);
        Request request;
        request.prompt = generator.render(planned.system, plan.queries[planned.query].text).tokens;
        request.max_tokens = std::min(8, options.max_tokens);
        request.ignore_eos = true;
        prompt_tokens += request.prompt.size();
        sample.push_back(std::move(request));
    }
    SchedulerStats stats;
    generator.run(
        sample, {}, [](const Response &) {}, silent_progress(), run.stop, stats);
    const double per_row =
        stats.seconds / static_cast<double>(std::max<std::size_t>(1, prompt_tokens + stats.generated_tokens));
    const double seconds = per_row * static_cast<double>(estimate.prompt_tokens + estimate.max_response_tokens);
    return seconds < 120 ? fmt::format(", about {:.0f} seconds here at most", seconds)
                         : fmt::format(", about {:.0f} minutes here at most", seconds / 60);
}

void announce(RunContext & run, const GenerationPlan & plan, Generator & generator, const GenerateOptions & options) {
    const GenerateEstimate estimate = estimate_generation(plan, generator, options, run.db.finished_slices());
    require_disk_space(estimate, run.folder);
    const bool by_server = run.config.generate_source == "server";
    if (by_server) {
        run.progress.message(LogLevel::info, "generate: the server is asked: " +
                                                 describe_cost({estimate.responses, estimate.prompt_tokens,
                                                                estimate.max_response_tokens},
                                                               prices_of(run.config.generate_server)));
    }
    const std::string duration = by_server ? std::string() : expected_duration(run, plan, generator, options, estimate);
    run.progress.message(LogLevel::info,
                         fmt::format("generate: {} responses to write, up to {} tokens in all, {:.0f} MB of disk{}",
                                     estimate.responses, estimate.max_response_tokens,
                                     static_cast<double>(estimate.disk_bytes) / 1e6, duration));
}

} // namespace

void generate_stage(RunContext & run) {
    const GenerateOptions options = generate_options(run);
    const GenerationPlan plan = plan_generation(run.inputs.concepts, run.inputs.queries, run.inputs.templates, options);
    run.db.set_meta("slices_planned", std::to_string(plan.n_slices));
    verify_shards(run.db, run.folder, run.progress, run.stop);
    if (open_slices(plan, options, run.db.finished_slices()).empty()) {
        run.progress.message(LogLevel::info, "generate: done before");
        return;
    }
    forget_derived_files(run.db);
    const std::unique_ptr<Generator> generator = open_generator(run);

    // Without kept activations, responses are judged while theirs are at hand.
    const bool sums_only = options.activations == StoredActivations::none;
    OpenJudge judge;
    SliceLabeller labeller;
    if (sums_only) {
        judge = open_run_judge(run);
        record_judge_quality(run, judge);
        claim_judge(run.db, *judge.judge, judge_stage_options(run.config));
        JudgeWork work; // the texts are not there yet: the longest that they can be
        for (const std::size_t slice : open_slices(plan, options, run.db.finished_slices())) {
            for (const PlannedResponse & planned : plan.slice(slice)) {
                const std::size_t pairs =
                    planned.condition == Condition::prompted ? 1 : run.inputs.concepts.concepts.size();
                constexpr std::uint64_t bytes_per_token = 4;
                work.pairs += pairs;
                work.text_bytes += pairs * static_cast<std::uint64_t>(options.max_tokens) * bytes_per_token;
            }
        }
        announce_cost(*judge.judge, work, run.progress);
        labeller = [&](std::span<const ResponseRow> responses) {
            run.progress.message(LogLevel::debug, fmt::format("judge: {} responses", responses.size()));
            return label_responses(responses, run.inputs.concepts, *judge.judge, judge_stage_options(run.config),
                                   silent_progress(), run.stop);
        };
    }

    announce(run, plan, *generator, options);
    const GenerateResult result =
        run_generate(run.db, run.folder, plan, *generator, options, run.progress, run.stop, labeller);
    remove_file(run.folder / generate_answers_file);
    if (sums_only) {
        run.db.set_meta("judge_decided", std::to_string(run.db.finished_judge_slices().size()));
        remove_file(run.folder / judge_answers_file);
    }
    if (result.stats.seconds > 0) {
        run.progress.message(LogLevel::info,
                             fmt::format("generate: {} responses, {:.0f} tokens/s", result.responses,
                                         static_cast<double>(result.stats.generated_tokens) / result.stats.seconds));
    }
    if (result.dropped > 0) {
        run.progress.message(
            LogLevel::warning,
            fmt::format("generate: {} responses left out; `valuelens status --run {}` counts the reasons",
                        result.dropped, run.folder.string()));
    }
}

} // namespace valuelens
