#include <algorithm>
#include <chrono>

#include "base/fail.h"
#include "engine/phase.h"
#include "engine/session.h"
#include "engine/session_plan.h"
#include "valuelens/request.h"

namespace valuelens {
namespace {

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
    check_options(*impl_->model, impl_->options);
}

Scheduler::~Scheduler() = default;

SchedulerStats Scheduler::run(std::span<const Request> requests, const OnDone & on_done, ProgressSink & progress,
                              std::stop_token stop, const OnToken & on_token) {
    SchedulerStats stats;
    const auto begin = std::chrono::steady_clock::now();
    const Model::Impl & model = impl_->model->impl();
    const auto limit = static_cast<std::size_t>(context_limit(*impl_->model, impl_->options));

    std::vector<std::size_t> generating;
    std::vector<std::size_t> reading;
    for (std::size_t i = 0; i < requests.size(); ++i) {
        check_request(*impl_->model, requests[i], i);
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
        std::size_t longest = 0;
        for (const std::size_t index : order) {
            longest = std::max(longest, needed_cells(requests[index]));
        }
        const SessionOptions wanted = plan_session(*impl_->model, impl_->options, longest, order.size(), unified);
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
