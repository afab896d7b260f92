#include "generate/generate.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <numeric>

#include "base/fail.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/hash.h"
#include "base/random.h"
#include "base/utf8.h"
#include "contrast/slice_sums.h"
#include "engine/scheduler_stats.h"
#include "store/activations.h"

namespace valuelens {

namespace fs = std::filesystem;

namespace {

constexpr const char * stage_name = "generate";
constexpr const char * shard_folder = "activations";

/// Ends the progress bar however the stage ends.
class ProgressScope {
public:
    ProgressScope(ProgressSink & sink, std::uint64_t total, std::string_view unit) : sink_(sink) {
        sink_.start(stage_name, total, unit);
    }
    ~ProgressScope() { sink_.finish(); }
    ProgressScope(const ProgressScope &) = delete;
    ProgressScope & operator=(const ProgressScope &) = delete;

private:
    ProgressSink & sink_;
};

void stop_if_asked(const std::stop_token & stop) {
    if (stop.stop_requested()) {
        fail(ErrorKind::interrupted,
             "generate was interrupted; the finished slices are kept, the same command goes on from there");
    }
}

const char * format_name(StoredActivations kind) {
    return kind == StoredActivations::none ? "none" : kind == StoredActivations::f16 ? "f16" : "f32";
}

/// A run holds the responses of one plan, model and set of options: whoever comes back with others is told so.
void require_same_run(RunDb & db, const GenerationPlan & plan, const ModelInfo & model,
                      const GenerateOptions & options) {
    const std::map<std::string, std::string> settings{
        {"generate.model", fmt::format("{} ({:.12})", model.name, model.identity)},
        {"generate.plan", plan.fingerprint()},
        {"generate.max_tokens", std::to_string(options.max_tokens)},
        {"generate.seed", std::to_string(options.seed)},
        {"generate.activations", format_name(options.activations)},
        {"generate.sampling", fmt::format("temperature {}, top_k {}, top_p {}, min_p {}", options.sampling.temperature,
                                          options.sampling.top_k, options.sampling.top_p, options.sampling.min_p)},
    };
    for (const auto & [key, value] : settings) {
        const std::optional<std::string> held = db.meta(key);
        if (held && *held != value) {
            fail(ErrorKind::usage,
                 "{}: the run was started with {} = {}, now it is {}; restore it or choose another --run",
                 db.path().string(), key, *held, value);
        }
    }
    for (const auto & [key, value] : settings) {
        if (!db.meta(key)) {
            db.set_meta(key, value);
        }
    }
}

std::string stats_json(const SchedulerStats & stats) {
    return fmt::format(
        R"({{"prompt_tokens":{},"decoded_tokens":{},"shared_tokens":{},"generated_tokens":{},"decodes":{},"seconds":{:.3f}}})",
        stats.prompt_tokens, stats.decoded_tokens, stats.shared_tokens, stats.generated_tokens, stats.decodes,
        stats.seconds);
}

class SliceRunner {
public:
    SliceRunner(RunDb & db, const fs::path & run_dir, const GenerationPlan & plan, Generator & generator,
                const GenerateOptions & options, ProgressSink & progress, const SliceLabeller & labeller)
        : db_(db), run_dir_(run_dir), plan_(plan), generator_(generator), options_(options), progress_(progress),
          labeller_(labeller), started_(std::chrono::steady_clock::now()) {}

    void run(std::size_t slice, const std::stop_token & stop, GenerateResult & result) {
        const std::vector<PlannedResponse> planned = plan_.slice(slice);

        // Prompts and requests.
        std::vector<RenderedPrompt> prompts;
        std::vector<Request> requests;
        std::vector<ChatPrompt> chats;
        for (const PlannedResponse & item : planned) {
            chats.push_back({item.system, plan_.queries[item.query].text});
            prompts.push_back(generator_.render(item.system, chats.back().user));
            Request request;
            request.prompt = prompts.back().tokens;
            request.max_tokens = options_.max_tokens;
            request.sampling = options_.sampling;
            request.sampling.seed = derive_seed(options_.seed, item.id);
            request.capture.resid_post = true;
            request.logprobs = true;
            requests.push_back(std::move(request));
            note_merged_system(prompts.back());
        }

        SchedulerStats stats;
        const std::vector<Generated> results = generator_.run(
            requests, chats, [&](const Response & response) { advance(response); }, progress_, stop, stats);
        if (results.size() != planned.size()) {
            fail(ErrorKind::internal, "generate: {} requests gave {} responses", planned.size(), results.size());
        }

        // What is kept and what is not.
        SliceRow row;
        row.slice = slice;
        row.first_position = planned.front().position;
        row.stats = stats_json(stats);
        std::vector<ResponseRow> kept;
        std::vector<const Response *> kept_responses;
        std::vector<DroppedRow> dropped;
        for (std::size_t i = 0; i < planned.size(); ++i) {
            const auto & [response, reason] = results[i];
            if (!reason.empty()) {
                dropped.push_back({stage_name, planned[i].id, reason});
                continue;
            }
            kept.push_back(make_row(planned[i], std::move(prompts[i]), response));
            kept_responses.push_back(&response);
        }
        row.n = kept.size();

        // The shard first: a row in the database says that its file is in place.
        std::vector<LabelRow> labels;
        const bool sums_only = options_.activations == StoredActivations::none;
        if (!kept.empty()) {
            row.shard = fmt::format("{}/{}-{:05}.safetensors", shard_folder, sums_only ? "sums" : "shard", slice);
            remove_side_files(run_dir_ / *row.shard); // of a process that was killed while it wrote them
            if (sums_only) {
                labels = labeller_(kept);
                write_sums(run_dir_ / *row.shard, kept, kept_responses, labels);
            } else {
                write_shard(run_dir_ / *row.shard, kept, kept_responses);
            }
            row.shard_sha256 = sha256_file(run_dir_ / *row.shard);
        }
        db_.commit_slice(row, kept, dropped, sums_only ? &labels : nullptr);

        progress_.message(LogLevel::debug,
                          fmt::format("slice {}: {} responses kept, {} left out, {} of {} prompt tokens shared, {} "
                                      "tokens written in {:.1f} s, {:.0f} % of it in llama.cpp",
                                      slice, kept.size(), dropped.size(), stats.shared_tokens, stats.prompt_tokens,
                                      stats.generated_tokens, stats.seconds,
                                      stats.seconds > 0 ? 100 * stats.decode_seconds / stats.seconds : 0.0));
        ++result.slices_done;
        result.responses += kept.size();
        result.dropped += dropped.size();
        add(result.stats, stats);
    }

private:
    void advance(const Response & response) {
        tokens_ += response.tokens.size();
        const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - started_;
        progress_.advance(
            ++done_, fmt::format("{:.0f} tokens/s", static_cast<double>(tokens_) / std::max(elapsed.count(), 1e-3)));
    }

    void note_merged_system(const RenderedPrompt & prompt) {
        if (prompt.system_merged && !merged_noted_) {
            merged_noted_ = true;
            progress_.message(
                LogLevel::info,
                "the model's chat template has no system role: system texts stand before the user's text");
        }
    }

    ResponseRow make_row(const PlannedResponse & item, RenderedPrompt && prompt, const Response & response) const {
        ResponseRow row;
        row.id = item.id;
        row.position = item.position;
        row.slice = item.slice;
        row.query_id = plan_.queries[item.query].id;
        row.condition = item.condition;
        if (item.value) {
            row.value_id = plan_.value_ids[*item.value];
        }
        if (item.template_) {
            row.template_id = plan_.template_ids[*item.template_];
        }
        row.system = item.system;
        row.prompt = std::move(prompt.text);
        row.prompt_tokens = std::move(prompt.tokens);
        row.text = to_valid_utf8(generator_.detokenize(response.tokens));
        row.tokens = response.tokens;
        row.logprob_sum = std::accumulate(response.logprobs.begin(), response.logprobs.end(), 0.0);
        row.finish = to_string(response.finish);
        return row;
    }

    Provenance provenance() const {
        Provenance provenance;
        provenance.model_name = generator_.info().name;
        provenance.model_hash = generator_.info().identity;
        provenance.tool_version = VALUELENS_VERSION;
        return provenance;
    }

    void write_sums(const fs::path & path, const std::vector<ResponseRow> & rows,
                    const std::vector<const Response *> & responses, const std::vector<LabelRow> & labels) const {
        const ModelInfo & model = generator_.info();
        SliceSums sums(static_cast<std::size_t>(model.n_layer), static_cast<std::size_t>(model.n_embd));
        std::map<std::string, std::size_t> places;
        for (std::size_t i = 0; i < rows.size(); ++i) {
            places[rows[i].id] = i;
            sums.add_response(rows[i].id, responses[i]->resid_post);
        }
        for (const LabelRow & label : labels) {
            if (label.expresses) {
                const std::size_t place = places.at(label.response_id);
                sums.add_label(label.value_id, rows[place].condition, *label.expresses, responses[place]->resid_post);
            }
        }
        sums.write(path, provenance());
    }

    void write_shard(const fs::path & path, const std::vector<ResponseRow> & rows,
                     const std::vector<const Response *> & responses) const {
        const ModelInfo & model = generator_.info();
        ActivationShape shape;
        shape.n_layer = static_cast<std::size_t>(model.n_layer);
        shape.n_embd = static_cast<std::size_t>(model.n_embd);
        std::vector<std::string> ids;
        for (const ResponseRow & row : rows) {
            ids.push_back(row.id);
        }
        const ActivationFormat format =
            options_.activations == StoredActivations::f16 ? ActivationFormat::f16_scaled : ActivationFormat::f32;
        ActivationWriter writer(path, shape, provenance(), format, std::move(ids));
        for (std::size_t i = 0; i < responses.size(); ++i) {
            writer.write(i, responses[i]->resid_post);
        }
        writer.commit();
    }

    RunDb & db_;
    const fs::path & run_dir_;
    const GenerationPlan & plan_;
    Generator & generator_;
    const GenerateOptions & options_;
    ProgressSink & progress_;
    const SliceLabeller & labeller_;
    std::chrono::steady_clock::time_point started_;
    std::uint64_t done_ = 0;
    std::uint64_t tokens_ = 0;
    bool merged_noted_ = false;
};

} // namespace

GenerateResult run_generate(RunDb & db, const fs::path & run_dir, const GenerationPlan & plan, Generator & generator,
                            const GenerateOptions & options, ProgressSink & progress, std::stop_token stop,
                            const SliceLabeller & labeller) {
    if (options.activations == StoredActivations::none && !labeller) {
        fail(ErrorKind::internal, "generate: activations = none without a judge");
    }
    require_same_run(db, plan, generator.info(), options);

    const std::set<std::size_t> finished = db.finished_slices();
    GenerateResult result;
    const std::vector<std::size_t> open = open_slices(plan, options, finished);
    result.slices_before = open_slices(plan, options, {}).size() - open.size();
    if (open.empty()) {
        return result;
    }

    make_folder(run_dir / shard_folder);
    const GenerateEstimate estimate = estimate_generation(plan, generator, options, finished);
    require_disk_space(estimate, run_dir);

    const ProgressScope scope(progress, estimate.responses, "responses");
    SliceRunner runner(db, run_dir, plan, generator, options, progress, labeller);
    for (const std::size_t slice : open) {
        stop_if_asked(stop);
        runner.run(slice, stop, result);
    }
    if (result.dropped > 0) {
        progress.message(LogLevel::warning, fmt::format("generate: {} of {} responses were left out; "
                                                        "'valuelens status' lists why",
                                                        result.dropped, result.dropped + result.responses));
    }
    return result;
}

namespace {

constexpr std::uint64_t shown_bytes = 1ULL << 30; // more than that takes seconds to hash, which a person should see

struct ShardFiles {
    struct Shard {
        SliceRow slice;
        fs::path path;
        std::uint64_t bytes = 0;
    };
    std::vector<Shard> shards;
    std::uint64_t bytes = 0;
};

ShardFiles stored_shards(const RunDb & db, const fs::path & run_dir) {
    ShardFiles files;
    for (const SliceRow & slice : db.slices()) {
        if (!slice.shard) {
            continue;
        }
        const fs::path path = run_dir / *slice.shard;
        std::error_code missing;
        const std::uintmax_t size = fs::file_size(path, missing);
        files.shards.push_back({slice, path, missing ? 0 : size});
        files.bytes += files.shards.back().bytes;
    }
    return files;
}

} // namespace

std::vector<std::size_t> verify_shards(RunDb & db, const fs::path & run_dir, ProgressSink & progress,
                                       std::stop_token stop) {
    std::vector<std::size_t> removed;
    const ShardFiles files = stored_shards(db, run_dir);
    const bool takes_long = files.bytes > shown_bytes;
    if (takes_long) {
        progress.start("check activations", files.bytes >> 20, "MiB");
    }
    std::uint64_t checked = 0;
    for (const auto & [slice, path, bytes] : files.shards) {
        stop_if_asked(stop);
        std::error_code ignored;
        const bool present = fs::exists(path, ignored);
        const bool whole = present && sha256_file(path) == slice.shard_sha256;
        checked += bytes;
        if (takes_long) {
            progress.advance(checked >> 20);
        }
        if (whole) {
            continue;
        }
        progress.message(LogLevel::warning,
                         fmt::format("{}: the file {}; its {} responses and their labels are forgotten and "
                                     "will be generated again",
                                     path.string(), present ? "is damaged" : "is missing", slice.n));
        db.remove_slice(slice.slice);
        removed.push_back(slice.slice);
    }
    if (takes_long) {
        progress.finish();
    }
    return removed;
}

std::vector<fs::path> shard_paths(const RunDb & db, const fs::path & run_dir) {
    std::vector<fs::path> paths;
    for (const SliceRow & slice : db.slices()) {
        if (slice.shard) {
            paths.push_back(run_dir / *slice.shard);
        }
    }
    return paths;
}

} // namespace valuelens
