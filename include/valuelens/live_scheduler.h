#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "valuelens/error.h"
#include "valuelens/model.h"
#include "valuelens/progress.h"
#include "valuelens/request.h"

namespace valuelens {

/// How busy a live scheduler is, and what it did since it began.
struct LiveStats {
    std::size_t running = 0; ///< requests in sequence slots
    std::size_t waiting = 0; ///< requests that wait for one
    std::uint64_t finished = 0;
    std::uint64_t failed = 0;
    std::uint64_t cancelled = 0;
    SchedulerStats work; ///< `seconds` is the time with at least one request in a slot
};

/// Serves requests that come in at any time: each joins the batch in flight at its next step, whatever is done to the
/// model for its neighbours, and leaves it when it is done. What a free slot's cache still holds of an earlier
/// conversation, or a neighbour's of the same prompt, is not decoded again.
///
/// What a request yields does not depend on its neighbours beyond the last bits of a logit (docs/reproducibility.md).
/// Where results must be the same to the bit, use Scheduler. Thread-safe; one thread of its own uses the model.
class LiveScheduler {
public:
    /// Makes the context; `ctx_size` 0 takes the longest that fits beside `parallel` sequences. Fewer sequences than
    /// asked for are said to `progress`. Throws Error(usage), Error(model).
    LiveScheduler(std::shared_ptr<Model> model, const SchedulerOptions & options,
                  ProgressSink & progress = silent_progress());
    /// Cancels what is left.
    ~LiveScheduler();
    LiveScheduler(const LiveScheduler &) = delete;
    LiveScheduler & operator=(const LiveScheduler &) = delete;

    /// Called from the scheduler's thread: they must be quick and must not block. Exactly one of on_done and on_error
    /// is called, once, as the last.
    struct Callbacks {
        std::function<bool(const TokenEvent &)> on_token; ///< false: it is enough, finish; may be empty
        std::function<void(Response &&)> on_done;
        std::function<void(const Error &)> on_error; ///< cancelled: Error(interrupted)
    };
    using Ticket = std::uint64_t;

    /// Longest prompt + response in tokens, and requests that run at once.
    std::size_t context_size() const;
    std::size_t sequences() const;

    /// Takes a request. Throws Error(usage) where it does not fit the context or its intervention not the model,
    /// Error(model) for an architecture that lacks what it asks for; then no callback is called.
    Ticket submit(Request request, Callbacks callbacks);

    /// Ends a request soon; one that is unknown or done is left alone.
    void cancel(Ticket ticket);

    LiveStats stats() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace valuelens
