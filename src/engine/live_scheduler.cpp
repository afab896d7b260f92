#include "valuelens/live_scheduler.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/fail.h"
#include "engine/batcher.h"
#include "engine/kept_prefixes.h"
#include "engine/phase.h"
#include "engine/session.h"
#include "engine/session_plan.h"
#include "engine/steering.h"

namespace valuelens {

struct LiveScheduler::Impl : private BatchOwner {
    Impl(std::shared_ptr<Model> given_model, const SchedulerOptions & options, ProgressSink & progress)
        : model(std::move(given_model)), session(model, plan_live_session(*model, options)),
          batcher(session, model->impl(), static_cast<std::size_t>(model->info().n_ff), /* alternate = */ true, work),
          prefixes(static_cast<std::size_t>(session.options().n_sequences), !model->impl().recurrent),
          limit(static_cast<std::size_t>(std::min(session.options().n_cells, context_limit(*model, options)))) {
        if (session.options().n_sequences < options.parallel) {
            progress.message(LogLevel::warning,
                             fmt::format("{} requests at once instead of {}: each may need {} tokens; a smaller "
                                         "--ctx-size makes room for more",
                                         session.options().n_sequences, options.parallel, limit));
        }
        thread = std::thread([this] { run(); });
    }

    ~Impl() override {
        {
            const std::lock_guard lock(mutex);
            stopping = true;
        }
        halt.request_stop();
        wake.notify_all();
        thread.join();
    }

    /// A request and where it stands. Known to the scheduler's thread alone once it was taken in.
    struct Job {
        Request request;
        Callbacks callbacks;
        bool tried = false; ///< it failed once before anything was drawn
    };

    void run() {
        for (;;) {
            {
                std::unique_lock lock(mutex);
                publish();
                wake.wait(lock, [this] {
                    return stopping || !incoming.empty() || !cancelled.empty() || !waiting.empty() || batcher.busy();
                });
                if (stopping) {
                    break;
                }
                take_in();
            }
            try {
                const auto begin = std::chrono::steady_clock::now();
                drop_cancelled();
                admit();
                batcher.step(*this, halt.get_token());
                clean();
                work.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
                work.decode_seconds = session.decode_seconds();
                work.hook_seconds = session.hooks().seconds();
            } catch (const Error & error) {
                fail_all_running(error);
            } catch (const std::exception & error) {
                fail_all_running(Error(ErrorKind::internal, error.what()));
            }
        }
        end_all();
    }

    // With the lock held.
    void publish() {
        shown.running = static_cast<std::size_t>(std::count_if(batcher.slots().begin(), batcher.slots().end(),
                                                               [](const auto & slot) { return slot.has_value(); }));
        shown.waiting = waiting.size();
        shown.work = work;
        shown.finished = n_finished;
        shown.failed = n_failed;
        shown.cancelled = n_cancelled;
    }

    // With the lock held.
    void take_in() {
        for (auto & [ticket, job] : incoming) {
            waiting.push_back(ticket);
            jobs.emplace(ticket, std::move(job));
        }
        incoming.clear();
        to_cancel.swap(cancelled);
        cancelled.clear();
    }

    void drop_cancelled() {
        for (const Ticket ticket : to_cancel) {
            if (jobs.count(ticket) == 0) {
                continue;
            }
            std::erase(waiting, ticket);
            for (std::size_t at = 0; at < batcher.slots().size(); ++at) {
                if (batcher.slots()[at] && batcher.slots()[at]->index() == ticket) {
                    // Nobody has looked at what the last batch of a steered one left in the cells.
                    const bool steered = batcher.slots()[at]->request().intervention != nullptr;
                    vacate(at, /* keep = */ !steered);
                    soiled = soiled || steered;
                }
            }
            ++n_cancelled;
            end_with_error(ticket, Error(ErrorKind::interrupted, "the request was cancelled"));
        }
        to_cancel.clear();
    }

    void admit() {
        for (auto at = waiting.begin(); at != waiting.end();) {
            const Request & request = jobs.at(*at).request;
            const std::optional<StartPlan> plan = prefixes.plan(request, batcher.slots());
            if (!plan) {
                ++at; // no place, or it waits for a neighbour's prefix and others may go before
                continue;
            }
            const int place = static_cast<int>(plan->place);
            if (plan->copy_from) {
                session.copy_prefix(static_cast<int>(*plan->copy_from), place, static_cast<int>(plan->length));
            } else {
                session.remove(place, static_cast<int>(plan->length));
            }
            prefixes.forget(plan->place);
            batcher.place(plan->place, *at, request, plan->length);
            at = waiting.erase(at);
        }
    }

    /// Frees a place; `keep`: with its cache left for a later request.
    void vacate(std::size_t at, bool keep) {
        std::optional<Slot> & slot = batcher.slots()[at];
        const std::shared_ptr<const Intervention> intervention = slot->request().intervention;
        if (keep && prefixes.may_reuse()) {
            CachedTokens cached = cached_tokens(*slot);
            // One cell stays free for a filler row.
            cached.tokens.resize(
                std::min(cached.tokens.size(), static_cast<std::size_t>(session.options().n_cells - 1)));
            cached.n_prompt = std::min(cached.n_prompt, cached.tokens.size());
            session.remove(static_cast<int>(at), static_cast<int>(cached.tokens.size()));
            batcher.set_kept(at, cached.tokens.size());
            prefixes.keep(at, std::move(cached));
        } else {
            session.remove(static_cast<int>(at), 0);
            batcher.set_kept(at, 0);
            prefixes.forget(at);
        }
        slot.reset();
        const bool used = std::any_of(batcher.slots().begin(), batcher.slots().end(), [&](const auto & other) {
            return other && other->request().intervention == intervention;
        });
        if (intervention != nullptr && !used) {
            session.hooks().forget_intervention(intervention.get());
        }
    }

    bool on_token(const Slot & slot, const TokenEvent & event) override {
        const Job & job = jobs.at(slot.index());
        try {
            return !job.callbacks.on_token || job.callbacks.on_token(event);
        } catch (const std::exception &) {
            return false; // whoever watches it is gone
        }
    }

    void on_finished(std::size_t at) override {
        const Ticket ticket = batcher.slots()[at]->index();
        Response response = batcher.slots()[at]->take_response();
        // A last token that was fed for its projections alone has no logits that would have told.
        const bool finite = std::all_of(response.projections.begin(), response.projections.end(),
                                        [](float x) { return std::isfinite(x); });
        vacate(at, /* keep = */ finite);
        soiled = soiled || !finite;
        ++n_finished;
        end(ticket, [&](const Callbacks & callbacks) { callbacks.on_done(std::move(response)); });
    }

    // Numbers that are not finite stay in the cells, and reach whoever gets the place next: 0 × NaN. A request that may
    // have suffered from what another left behind is tried once more in a clean cache.
    void on_failed(std::size_t at, const Error & error) override {
        const Ticket ticket = batcher.slots()[at]->index();
        const bool again = batcher.slots()[at]->untouched() && !jobs.at(ticket).tried;
        vacate(at, /* keep = */ false);
        soiled = true;
        if (again) {
            jobs.at(ticket).tried = true;
            waiting.push_front(ticket);
        } else {
            ++n_failed;
            end_with_error(ticket, error);
        }
    }

    void clean() {
        if (!std::exchange(soiled, false)) {
            return;
        }
        std::vector<int> running;
        for (std::size_t at = 0; at < batcher.slots().size(); ++at) {
            if (batcher.slots()[at]) {
                running.push_back(static_cast<int>(at));
            } else {
                batcher.set_kept(at, 0);
            }
        }
        prefixes.forget_all();
        session.scrub(running);
    }

    void fail_all_running(const Error & error) {
        for (std::size_t at = 0; at < batcher.slots().size(); ++at) {
            if (std::optional<Slot> & slot = batcher.slots()[at]) {
                const Ticket ticket = slot->index();
                slot.reset();
                ++n_failed;
                end_with_error(ticket, error);
            }
            batcher.set_kept(at, 0);
        }
        prefixes.forget_all();
        soiled = false;
        session.hooks().forget_interventions();
        session.clear();
    }

    void end_all() {
        for (auto & slot : batcher.slots()) {
            slot.reset();
        }
        {
            const std::lock_guard lock(mutex);
            take_in();
        }
        while (!jobs.empty()) {
            ++n_cancelled;
            end_with_error(jobs.begin()->first, Error(ErrorKind::interrupted, "the model is being shut down"));
        }
    }

    template <typename Tell>
    void end(Ticket ticket, Tell && tell) {
        auto node = jobs.extract(ticket);
        {
            const std::lock_guard lock(mutex); // whoever is told finds itself counted
            publish();
        }
        try {
            tell(node.mapped().callbacks);
        } catch (const std::exception &) { // whoever waited for it is gone
        }
    }

    void end_with_error(Ticket ticket, const Error & error) {
        end(ticket, [&](const Callbacks & callbacks) { callbacks.on_error(error); });
    }

    void check(const Request & request) const {
        check_request(*model, request, 0);
        if (needed_cells(request) > limit) {
            fail(ErrorKind::usage, "the prompt's {} tokens and {} of the response do not fit the context of {} tokens",
                 request.prompt.size(), needed_cells(request) - request.prompt.size(), limit);
        }
        session.hooks().require(request, model->info().path);
        if (request.intervention != nullptr) {
            const PreparedIntervention checked(*request.intervention, model->info().n_layer, model->info().n_embd);
        }
    }

    std::shared_ptr<Model> model;
    SchedulerStats work;
    Session session;
    Batcher batcher;
    KeptPrefixes prefixes;
    std::size_t limit;
    std::map<Ticket, Job> jobs;
    std::deque<Ticket> waiting;
    std::vector<Ticket> to_cancel;
    bool soiled = false; ///< some cells hold what is not a number
    std::uint64_t n_finished = 0;
    std::uint64_t n_failed = 0;
    std::uint64_t n_cancelled = 0;

    mutable std::mutex mutex; ///< of what follows
    std::condition_variable wake;
    std::vector<std::pair<Ticket, Job>> incoming;
    std::vector<Ticket> cancelled;
    LiveStats shown;
    Ticket next_ticket = 0;
    bool stopping = false;

    std::stop_source halt;
    std::thread thread;
};

LiveScheduler::LiveScheduler(std::shared_ptr<Model> model, const SchedulerOptions & options, ProgressSink & progress) {
    check_options(*model, options);
    impl_ = std::make_unique<Impl>(std::move(model), options, progress);
}

LiveScheduler::~LiveScheduler() = default;

std::size_t LiveScheduler::context_size() const {
    return impl_->limit;
}

std::size_t LiveScheduler::sequences() const {
    return static_cast<std::size_t>(impl_->session.options().n_sequences);
}

LiveScheduler::Ticket LiveScheduler::submit(Request request, Callbacks callbacks) {
    impl_->check(request);
    Ticket ticket = 0;
    {
        const std::lock_guard lock(impl_->mutex);
        ticket = impl_->next_ticket++;
        impl_->incoming.emplace_back(ticket, Impl::Job{std::move(request), std::move(callbacks)});
    }
    impl_->wake.notify_one();
    return ticket;
}

void LiveScheduler::cancel(Ticket ticket) {
    {
        const std::lock_guard lock(impl_->mutex);
        impl_->cancelled.push_back(ticket);
    }
    impl_->wake.notify_one();
}

LiveStats LiveScheduler::stats() const {
    const std::lock_guard lock(impl_->mutex);
    LiveStats stats = impl_->shown;
    stats.waiting += impl_->incoming.size();
    return stats;
}

} // namespace valuelens
