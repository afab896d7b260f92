#include "pipeline/monitor.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "base/fail.h"
#include "base/file.h"
#include "base/random.h"
#include "engine/scheduler_stats.h"
#include "valuelens/records.h"

namespace valuelens {

namespace {

constexpr std::size_t slice_size = 256;

/// A line of the input and what became of it.
struct Item {
    const Transcript * transcript = nullptr;
    Request request;
    Response response;
    std::optional<WatchReading> draft; ///< of an answer that was thrown away
    bool defended = false;
};

void check_options(const MonitorOptions & options, const std::vector<Transcript> & transcripts) {
    if (!options.learn.empty() && !options.thresholds.empty()) {
        fail(ErrorKind::usage, "--learn makes thresholds and --thresholds uses them; give one of the two");
    }
    if (options.defend == MonitorDefend::flagged && options.thresholds.empty()) {
        fail(ErrorKind::usage, "--defend flagged needs --thresholds FILE, which --learn makes");
    }
    if (options.defend == MonitorDefend::all && !options.learn.empty()) {
        fail(ErrorKind::usage, "--learn learns what responses are like undefended; leave out --defend");
    }
    if (!(options.quantile > 0 && options.quantile < 1)) {
        fail(ErrorKind::usage, "--quantile {}: expected a share between 0 and 1, as 0.99", options.quantile);
    }
    for (const Transcript & transcript : transcripts) {
        if (transcript.response && options.defend != MonitorDefend::off) {
            fail(ErrorKind::usage,
                 "{}:{}: already has a response, and --defend writes responses; leave out one of the two",
                 options.input.string(), transcript.line);
        }
    }
}

Request make_request(const Model & model, const Transcript & transcript, const MonitorOptions & options) {
    Request request;
    request.prompt = transcript.prompt ? model.render_plain(*transcript.prompt).tokens
                                       : model.render_chat(transcript.system, transcript.user).tokens;
    if (transcript.response) {
        request.kind = RequestKind::continue_;
        request.response = model.tokenize(*transcript.response, false, false);
    } else {
        request.max_tokens = options.max_tokens;
        request.sampling = options.sampling;
        request.sampling.seed = derive_seed(options.sampling.seed, "monitor/" + transcript.id);
    }
    if (request.prompt.empty() || (transcript.response && request.response.empty())) {
        fail(ErrorKind::bad_input, "{}:{}: the prompt or the response has no tokens", options.input.string(),
             transcript.line);
    }
    return request;
}

/// Everything that a run needs beside its slices.
class Monitoring {
public:
    Monitoring(const MonitorOptions & options, MonitorResult & result, const ModelInfo & model)
        : options_(options), result_(result) {
        if (options.defend == MonitorDefend::off) {
            return;
        }
        const std::vector<std::string> keys =
            result.thresholds ? result.thresholds->guard : std::vector<std::string>{result.watch.names.front()};
        ablation_ = std::make_shared<Intervention>(load_ablation(options.watch.file, keys, model));
    }

    std::size_t window() const { return result_.thresholds ? result_.thresholds->window : options_.window; }

    WatchReading reading_of(const Response & response) const {
        return read_watch(result_.watch.names.size(), window(), response.prompt_projection, response.projections);
    }

    void run(Scheduler & scheduler, std::vector<Item> & items, ProgressSink & progress, std::stop_token stop,
             std::size_t done) {
        std::vector<Request> requests;
        for (Item & item : items) {
            item.request.capture.projector = result_.watch.projector;
            item.defended = options_.defend == MonitorDefend::all;
            item.request.intervention = item.defended ? ablation_ : nullptr;
            requests.push_back(item.request);
        }
        add(result_.stats, scheduler.run(
                               requests,
                               [&](std::size_t index, Response && response) {
                                   items[index].response = std::move(response);
                                   progress.advance(++done);
                               },
                               progress, stop));
        if (options_.defend == MonitorDefend::flagged) {
            write_anew(scheduler, items, progress, stop);
        }
    }

private:
    void write_anew(Scheduler & scheduler, std::vector<Item> & items, ProgressSink & progress, std::stop_token stop) {
        std::vector<Item *> flagged;
        std::vector<Request> requests;
        for (Item & item : items) {
            WatchReading reading = reading_of(item.response);
            if (reading.n_tokens > 0 &&
                is_flagged(*result_.thresholds, exceeding(*result_.thresholds, reading, /* early = */ true))) {
                item.draft = std::move(reading);
                item.defended = true;
                item.request.intervention = ablation_;
                flagged.push_back(&item);
                requests.push_back(item.request);
            }
        }
        if (requests.empty()) {
            return;
        }
        result_.n_rewritten += requests.size();
        add(result_.stats,
            scheduler.run(
                requests,
                [&](std::size_t index, Response && response) { flagged[index]->response = std::move(response); },
                progress, stop));
    }

    const MonitorOptions & options_;
    MonitorResult & result_;
    std::shared_ptr<const Intervention> ablation_;
};

nlohmann::ordered_json line_of(const Item & item, const WatchReading & reading, const MonitorResult & result,
                               const Model & model, bool per_token) {
    nlohmann::ordered_json json = {{"id", item.transcript->id}};
    if (!item.transcript->response) {
        json["text"] = model.detokenize(item.response.tokens);
    }
    json["n_tokens"] = reading.n_tokens;
    json["monitor"] = watch_json(result.watch, result.thresholds ? &*result.thresholds : nullptr, reading, per_token);
    json["monitor"]["defended"] = item.defended;
    if (item.draft) {
        json["monitor"]["draft"] = draft_json(result.watch, *result.thresholds, *item.draft);
    }
    return json;
}

void warn(const MonitorResult & result, const MonitorOptions & options, ProgressSink & progress) {
    for (std::size_t d = 0; !options.learn.empty() && d < result.watch.names.size(); ++d) {
        const WatchThresholds & learned = *result.thresholds;
        if (is_guarded(learned, d) && learned.limits[d].early < 0) {
            progress.message(
                LogLevel::warning,
                fmt::format("the threshold of {} is negative ({:.3g}): these responses point away from it, and taking "
                            "it out moves them toward what is flagged; look at other blocks (--watch-layers) or guard "
                            "another direction",
                            learned.names[d], learned.limits[d].early));
        }
    }
    if (!result.too_long.empty()) {
        progress.message(LogLevel::warning,
                         fmt::format("{} lines do not fit the context and are left out (first: {}); raise --ctx-size",
                                     result.too_long.size(), result.too_long.front()));
    }
    const double beyond = static_cast<double>(result.n_responses - result.n_empty) * (1 - options.quantile);
    if (!options.learn.empty() && beyond < 1) {
        progress.message(LogLevel::warning,
                         fmt::format("{} responses are few for the quantile {}: the threshold is their largest number; "
                                     "{} would put one beyond it",
                                     result.n_responses - result.n_empty, options.quantile,
                                     std::ceil(1 / (1 - options.quantile))));
    }
}

} // namespace

MonitorResult monitor(const MonitorOptions & options, ProgressSink & progress, std::stop_token stop) {
    const std::vector<Transcript> transcripts = load_transcripts(options.input, /* require_response = */ false);
    check_options(options, transcripts);
    const ModelInfo info = read_model_info(options.model.path);
    MonitorResult result;
    result.watch = load_watch(options.watch, info, progress);
    if (!options.thresholds.empty()) {
        result.thresholds = read_thresholds(options.thresholds, result.watch);
    }
    std::unique_ptr<AtomicFile> output;
    if (!options.output.empty()) {
        output = std::make_unique<AtomicFile>(options.output);
    }
    if (!options.learn.empty()) { // said before the work, not after it
        guarded_names(result.watch, options.guard);
        AtomicFile{options.learn};
    }
    Monitoring monitoring(options, result, info);
    const std::shared_ptr<Model> model = Model::load(options.model, progress, stop);
    Scheduler scheduler(model, options.scheduler);

    std::vector<WatchReading> readings;
    result.mean.assign(result.watch.names.size(), 0.0);
    progress.start("monitor", transcripts.size(), "responses");
    for (std::size_t first = 0; first < transcripts.size(); first += slice_size) {
        std::vector<Item> items;
        for (std::size_t i = first; i < std::min(transcripts.size(), first + slice_size); ++i) {
            Item & item = items.emplace_back();
            item.transcript = &transcripts[i];
            item.request = make_request(*model, transcripts[i], options);
        }
        monitoring.run(scheduler, items, progress, stop, first);
        for (const Item & item : items) {
            if (item.response.finish == FinishReason::too_long) {
                result.too_long.push_back(item.transcript->id);
                continue;
            }
            WatchReading reading = monitoring.reading_of(item.response);
            reading.defended = item.defended;
            ++result.n_responses;
            if (reading.n_tokens == 0) {
                ++result.n_empty;
            } else if (result.thresholds) {
                result.n_flagged +=
                    is_flagged(*result.thresholds, exceeding(*result.thresholds, reading, /* early = */ false)) ? 1 : 0;
            }
            for (std::size_t d = 0; reading.n_tokens > 0 && d < result.mean.size(); ++d) {
                result.mean[d] += reading.mean[d];
            }
            if (output) {
                output->write(line_of(item, reading, result, *model, options.per_token)
                                  .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
                              "\n");
            }
            reading.tokens.clear(); // only the means are needed from here on
            readings.push_back(std::move(reading));
        }
    }
    progress.finish();
    const std::size_t n_read = result.n_responses - result.n_empty;
    if (n_read == 0) {
        fail(ErrorKind::bad_input, "{}: there is no response to look at: {} are empty, {} too long for the context",
             options.input.string(), result.n_empty, result.too_long.size());
    }
    for (double & mean : result.mean) {
        mean /= static_cast<double>(n_read);
    }
    if (!options.learn.empty()) {
        result.thresholds =
            learn_thresholds(result.watch, readings, options.quantile, options.window, options.guard, model->info());
        write_thresholds(options.learn, *result.thresholds);
    }
    warn(result, options, progress);
    if (output) {
        output->commit();
    }
    return result;
}

} // namespace valuelens
