#include "pipeline/capture_file.h"

#include <algorithm>
#include <memory>

#include "base/fail.h"
#include "base/file.h"
#include "engine/scheduler_stats.h"
#include "pipeline/steer_spec.h"
#include "store/activations.h"
#include "valuelens/records.h"

namespace valuelens {

namespace {

/// Requests that are scheduled together: a fixed slice, so that a result depends on nothing but its slice.
constexpr std::size_t slice_size = 256;

/// Of a sequence, as SchedulerOptions::ctx_size defines it.
std::size_t longest_sequence(const ModelInfo & model, const SchedulerOptions & options) {
    constexpr int default_limit = 8192;
    if (options.ctx_size > 0) {
        return static_cast<std::size_t>(options.ctx_size);
    }
    return static_cast<std::size_t>(model.n_ctx_train > 0 ? std::min(model.n_ctx_train, default_limit) : default_limit);
}

Request make_request(const Model & model, const Transcript & transcript, const CaptureFileOptions & options) {
    const auto where = [&] {
        return fmt::format("{}:{}", options.input.string(), transcript.line);
    };
    Request request;
    request.kind = RequestKind::continue_;
    request.prompt = transcript.prompt ? model.render_plain(*transcript.prompt).tokens
                                       : model.render_chat(transcript.system, transcript.user).tokens;
    request.response = model.tokenize(*transcript.response, false, false);
    if (request.prompt.empty()) {
        fail(ErrorKind::bad_input, "{}: the prompt has no tokens", where());
    }
    if (request.response.empty()) {
        fail(ErrorKind::bad_input, "{}: \"response\" has no tokens", where());
    }
    request.capture.resid_post = true;
    request.capture.mlp_post = options.mlp_post;
    request.capture.last_logits = options.last_logits;
    return request;
}

/// What is to be read, and the ids that go with it.
struct Work {
    std::vector<Request> requests;
    std::vector<std::string> ids;
    std::vector<std::string> too_long;
};

Work prepare(const Model & model, const std::vector<Transcript> & transcripts, const CaptureFileOptions & options,
             ProgressSink & progress) {
    Work work;
    const std::size_t limit = longest_sequence(model.info(), options.scheduler);
    std::size_t longest = 0;
    for (const Transcript & transcript : transcripts) {
        Request request = make_request(model, transcript, options);
        const std::size_t length = request.prompt.size() + request.response.size();
        if (length > limit) {
            longest = std::max(longest, length);
            work.too_long.push_back(transcript.id);
            continue;
        }
        work.ids.push_back(transcript.id);
        work.requests.push_back(std::move(request));
    }
    const std::string advice = fmt::format(
        "the context holds {} tokens and the longest needs {}; --ctx-size {} would hold it", limit, longest, longest);
    if (work.requests.empty()) {
        fail(ErrorKind::bad_input, "{}: no transcript fits: {}", options.input.string(), advice);
    }
    if (!work.too_long.empty()) {
        progress.message(LogLevel::warning,
                         fmt::format("{}: {} of {} transcripts do not fit and are left out: {} (first: {})",
                                     options.input.string(), work.too_long.size(), transcripts.size(), advice,
                                     work.too_long.front()));
    }
    return work;
}

ActivationWriter open_output(const ModelInfo & model, const CaptureFileOptions & options,
                             const std::vector<std::string> & ids) {
    ActivationShape shape;
    shape.n_layer = static_cast<std::size_t>(model.n_layer);
    shape.n_embd = static_cast<std::size_t>(model.n_embd);
    shape.n_ff = options.mlp_post ? static_cast<std::size_t>(model.n_ff) : 0;
    shape.n_vocab = options.last_logits ? static_cast<std::size_t>(model.n_vocab) : 0;
    Provenance provenance;
    provenance.model_name = model.name;
    provenance.model_hash = model.identity;
    provenance.tool_version = VALUELENS_VERSION;
    return ActivationWriter(options.output, shape, provenance, ActivationFormat::f32, ids);
}

} // namespace

CaptureFileResult capture_file(const CaptureFileOptions & options, ProgressSink & progress, std::stop_token stop) {
    // All that can be wrong with the files is said before the model is loaded, which may take minutes.
    const std::vector<Transcript> transcripts = load_transcripts(options.input, true);
    AtomicFile{options.output};
    const std::shared_ptr<const Intervention> intervention =
        load_intervention(options.steer, options.scale_neurons, read_model_info(options.model.path), progress);

    const std::shared_ptr<Model> model = Model::load(options.model, progress, stop);
    Scheduler scheduler(model, options.scheduler);
    Work work = prepare(*model, transcripts, options, progress);
    for (Request & request : work.requests) {
        request.intervention = intervention;
    }

    CaptureFileResult result;
    result.too_long = std::move(work.too_long);
    ActivationWriter writer = open_output(model->info(), options, work.ids);
    progress.start("capture", work.requests.size(), "transcripts");
    for (std::size_t first = 0; first < work.requests.size(); first += slice_size) {
        const std::size_t count = std::min(slice_size, work.requests.size() - first);
        const auto on_done = [&](std::size_t index, Response && response) {
            if (response.finish == FinishReason::too_long) {
                fail(ErrorKind::internal, "transcript \"{}\" was found to fit and then did not",
                     work.ids[first + index]);
            }
            writer.write(first + index, response.resid_post, response.mlp_post, response.last_logits);
            progress.advance(++result.captured);
        };
        add(result.stats, scheduler.run(std::span(work.requests).subspan(first, count), on_done, progress, stop));
    }
    progress.finish();
    writer.commit();
    return result;
}

} // namespace valuelens
