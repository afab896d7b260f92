#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <numeric>

#include "base/fail.h"
#include "engine/phase.h"
#include "engine/session.h"
#include "valuelens/request.h"

namespace valuelens {
namespace {

constexpr std::uint64_t kv_budget_bytes = 4ULL << 30;      // of the cache of all sequences in flight
constexpr std::uint64_t logits_budget_bytes = 64ULL << 20; // of the rows whose logits one batch returns
constexpr int default_ctx_limit = 8192;
constexpr int cell_step = 256;           // llama.cpp rounds its caches up to this
constexpr int least_unified_cells = 512; // room for two prefixes and their suffixes

int round_up(std::size_t n, int step) {
    return static_cast<int>((n + static_cast<std::size_t>(step) - 1) / static_cast<std::size_t>(step)) * step;
}

/// The one intervention of all these requests, if all it does to the stream is to add to every row; else null.
const Intervention * shared_addition(std::span<const Request> requests, const std::vector<std::size_t> & order) {
    const Intervention * shared = requests[order.front()].intervention.get();
    const bool one = std::all_of(order.begin(), order.end(),
                                 [&](std::size_t index) { return requests[index].intervention.get() == shared; });
    if (!one || shared == nullptr || shared->directions.empty()) {
        return nullptr;
    }
    const bool plain =
        std::all_of(shared->directions.begin(), shared->directions.end(), [](const LayerDirection & direction) {
            return direction.mode == SteerMode::add && direction.tokens == TokenScope::all;
        });
    return plain ? shared : nullptr;
}

} // namespace

const char * to_string(FinishReason reason) {
    switch (reason) {
    case FinishReason::end_of_turn:
        return "end_of_turn";
    case FinishReason::length:
        return "length";
    case FinishReason::done:
        return "done";
    case FinishReason::too_long:
        return "too_long";
    }
    return "done";
}

FinishReason finish_reason_from_string(const std::string & text) {
    for (const FinishReason reason :
         {FinishReason::end_of_turn, FinishReason::length, FinishReason::done, FinishReason::too_long}) {
        if (text == to_string(reason)) {
            return reason;
        }
    }
    fail(ErrorKind::bad_input, "'{}' is not a finish reason (end_of_turn, length, done, too_long)", text);
}

struct Scheduler::Impl {
    std::shared_ptr<Model> model;
    SchedulerOptions options;
    std::unique_ptr<Session> streams; ///< for generating: a cache per sequence
    std::unique_ptr<Session> unified; ///< for reading: one cache, prefixes shared

    // Flash attention on a CPU rounds to half precision on the way: 1e-4 of a residual, where an F32 model is accurate
    // to 4e-7.
    bool exact() const { return llama_model_ftype(model->impl().model.get()) == LLAMA_FTYPE_ALL_F32; }

    std::string kv_type() const { return options.kv_type != "auto" ? options.kv_type : exact() ? "f32" : "f16"; }

    int context_limit() const {
        const int trained = model->info().n_ctx_train > 0 ? model->info().n_ctx_train : default_ctx_limit;
        return options.ctx_size > 0 ? options.ctx_size : std::min(trained, default_ctx_limit);
    }

    void check(const Request & request, std::size_t index) const {
        const auto bad = [&](const std::string & what) {
            fail(ErrorKind::internal, "request {}: {}", index, what);
        };
        const auto in_vocabulary = [&](const std::vector<Token> & tokens) {
            return std::all_of(tokens.begin(), tokens.end(),
                               [&](Token token) { return token >= 0 && token < model->info().n_vocab; });
        };
        if (request.prompt.empty() && (request.kind != RequestKind::continue_ || request.logprobs)) {
            bad("its prompt has no tokens");
        }
        if (request.kind == RequestKind::continue_ && request.response.empty()) {
            bad("its response has no tokens");
        }
        if (request.kind == RequestKind::choose && request.choices.empty()) {
            bad("no choices are given");
        }
        if (request.kind == RequestKind::generate && request.max_tokens < 1) {
            bad("max_tokens must be at least 1");
        }
        if (!in_vocabulary(request.prompt) || !in_vocabulary(request.response) || !in_vocabulary(request.choices)) {
            bad("a token lies outside the vocabulary");
        }
        for (std::size_t i = 0; i < request.capture.layers.size(); ++i) {
            const int layer = request.capture.layers[i];
            if (layer < 0 || layer >= model->info().n_layer || (i > 0 && layer <= request.capture.layers[i - 1])) {
                bad(fmt::format("capture.layers must ascend within 0-{}", model->info().n_layer - 1));
            }
        }
    }

    std::uint64_t kv_bytes_per_cell() const {
        const llama_model * raw = model->impl().model.get();
        // Heads may be wider than n_embd / n_head (Gemma 3, Qwen3): the file then says how wide.
        const auto stated = [&](const char * key) {
            std::array<char, 32> text{};
            const std::string name = model->info().architecture + key;
            return llama_model_meta_val_str(raw, name.c_str(), text.data(), text.size()) > 0 ? std::atoi(text.data())
                                                                                             : 0;
        };
        const int usual = model->info().n_embd / std::max(1, llama_model_n_head(raw));
        const int key_width = std::max(usual, stated(".attention.key_length"));
        const int value_width = std::max(usual, stated(".attention.value_length"));
        const ggml_type type = Session::kv_type_from_string(kv_type());
        const auto numbers = static_cast<std::uint64_t>(std::max(1, llama_model_n_head_kv(raw))) *
                             static_cast<std::uint64_t>(key_width + value_width);
        return static_cast<std::uint64_t>(model->info().n_layer) * numbers * ggml_type_size(type) /
               static_cast<std::uint64_t>(ggml_blck_size(type));
    }

    SessionOptions session_options(std::span<const Request> requests, const std::vector<std::size_t> & order,
                                   bool want_unified) const {
        std::size_t longest = 0;
        for (const std::size_t index : order) {
            longest = std::max(longest, needed_cells(requests[index]));
        }
        SessionOptions session;
        session.unified = want_unified;
        session.kv_type = kv_type();
        session.flash_attention = !exact();
        session.batch_size = options.batch_size;
        session.n_sequences = static_cast<int>(
            std::min<std::size_t>(static_cast<std::size_t>(std::max(1, options.parallel)), order.size()));
        if (want_unified) {
            session.n_cells = std::max(least_unified_cells, round_up(longest, cell_step));
        } else {
            session.n_cells = round_up(longest, cell_step);
            const std::uint64_t per_sequence = static_cast<std::uint64_t>(session.n_cells) * kv_bytes_per_cell();
            session.n_sequences =
                std::max(1, std::min(session.n_sequences,
                                     static_cast<int>(kv_budget_bytes / std::max<std::uint64_t>(1, per_sequence))));
        }
        session.batch_size = std::max(session.batch_size, session.n_sequences);
        const auto rows =
            static_cast<int>(logits_budget_bytes / (sizeof(float) * static_cast<std::uint64_t>(model->info().n_vocab)));
        const int least = std::max(32, session.n_sequences);
        session.max_outputs = std::clamp(rows, least, std::max(session.batch_size, least));
        return session;
    }

    Session & session_for(const SessionOptions & wanted) {
        std::unique_ptr<Session> & slot = wanted.unified ? unified : streams;
        if (!slot || slot->options() != wanted) {
            slot.reset(); // free the old cache before the new one is made
            slot = std::make_unique<Session>(model, wanted);
        }
        slot->clear();
        slot->forget_interventions();
        return *slot;
    }
};

Scheduler::Scheduler(std::shared_ptr<Model> model, SchedulerOptions options)
    : impl_(new Impl{std::move(model), std::move(options), nullptr, nullptr}) {
    Session::kv_type_from_string(impl_->kv_type()); // a wrong name is said at once
    if (impl_->options.parallel < 1 || impl_->options.parallel > 256) {
        fail(ErrorKind::usage, "--parallel {}: expected 1 to 256 sequences in flight", impl_->options.parallel);
    }
    if (impl_->options.batch_size < 1 || impl_->options.ctx_size < 0) {
        fail(ErrorKind::usage, "the batch size must be at least 1 and --ctx-size at least 0");
    }
}

Scheduler::~Scheduler() = default;

SchedulerStats Scheduler::run(std::span<const Request> requests, const OnDone & on_done, ProgressSink & progress,
                              std::stop_token stop, const OnToken & on_token) {
    SchedulerStats stats;
    const auto begin = std::chrono::steady_clock::now();
    const Model::Impl & model = impl_->model->impl();
    const auto limit = static_cast<std::size_t>(impl_->context_limit());

    std::vector<std::size_t> generating;
    std::vector<std::size_t> reading;
    for (std::size_t i = 0; i < requests.size(); ++i) {
        impl_->check(requests[i], i);
        if (needed_cells(requests[i]) > limit) {
            Response response;
            response.finish = FinishReason::too_long;
            on_done(i, std::move(response));
        } else if (requests[i].kind == RequestKind::generate || model.recurrent) {
            generating.push_back(i);
        } else {
            reading.push_back(i);
        }
    }
    // Neighbours of like length fill a batch of separate streams better.
    std::stable_sort(generating.begin(), generating.end(), [&](std::size_t a, std::size_t b) {
        return needed_cells(requests[a]) < needed_cells(requests[b]);
    });

    for (const bool unified : {false, true}) {
        const std::vector<std::size_t> & order = unified ? reading : generating;
        if (order.empty()) {
            continue;
        }
        const SessionOptions wanted = impl_->session_options(requests, order, unified);
        Session & session = impl_->session_for(wanted);
        if (!unified && wanted.n_sequences < std::min<int>(impl_->options.parallel, static_cast<int>(order.size()))) {
            progress.message(
                LogLevel::warning,
                fmt::format("{} sequences in flight instead of {}: the longest request needs {} tokens each",
                            wanted.n_sequences, impl_->options.parallel, wanted.n_cells));
        }
        for (const std::size_t index : order) {
            session.hooks().require(requests[index], impl_->model->info().path);
        }
        if (const Intervention * shared = shared_addition(requests, order)) {
            session.share_addition(*shared);
        }
        const double decode_before = session.decode_seconds();
        const double hooks_before = session.hooks().seconds();
        Phase(session, model, requests, order, static_cast<std::size_t>(model.info.n_ff), {on_done, on_token}, stop,
              stats)
            .run();
        stats.decode_seconds += session.decode_seconds() - decode_before;
        stats.hook_seconds += session.hooks().seconds() - hooks_before;
    }
    stats.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return stats;
}

std::vector<Response> Scheduler::run_all(std::span<const Request> requests, ProgressSink & progress,
                                         std::stop_token stop, SchedulerStats * stats) {
    std::vector<Response> responses(requests.size());
    const SchedulerStats done = run(
        requests, [&](std::size_t index, Response && response) { responses[index] = std::move(response); }, progress,
        std::move(stop));
    if (stats != nullptr) {
        *stats = done;
    }
    return responses;
}

} // namespace valuelens
