#include "serve/generation.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <span>

#include "base/random.h"
#include "serve/text_stream.h"

namespace valuelens {

namespace {

using Clock = std::chrono::steady_clock;

/// One response while it is written. Touched by the scheduler's thread alone, but for its ticket.
struct Choice {
    explicit Choice(const std::vector<std::string> & stops) : stream(stops) {}

    Request request;
    TextStream stream;
    std::vector<TokenInfo> tokens;
    std::size_t tokens_given = 0;
    bool held = false;     ///< nothing is given out before it is known whether the draft stands
    bool rejected = false; ///< the draft is to be written anew
    std::optional<WatchReading> draft;
    bool defended = false;
};

} // namespace

struct Generation::State : std::enable_shared_from_this<State> {
    State(const Tools & given, const ApiRequest & request)
        : tools(given), stops(request.stops), logprobs(request.logprobs) {}

    void start(std::size_t c) {
        auto self = shared_from_this();
        const LiveScheduler::Ticket ticket = tools.scheduler.submit(
            choices[c].request, {
                                    [self, c](const TokenEvent & event) { return self->on_token(c, event); },
                                    [self, c](Response && response) { self->on_done(c, response); },
                                    [self](const Error & error) { self->on_error(error); },
                                });
        const std::lock_guard lock(mutex);
        tickets[c] = ticket;
        if (cancelled) {
            tools.scheduler.cancel(ticket);
        }
    }

    bool on_token(std::size_t c, const TokenEvent & event) {
        Choice & choice = choices[c];
        if (!first) {
            const std::lock_guard lock(mutex);
            first = Clock::now();
        }
        const std::string bytes = tools.model.token_bytes(event.token);
        const bool go_on = choice.stream.add(bytes);
        if (logprobs) {
            TokenInfo info{
                bytes, static_cast<double>(event.logprob), {}, choice.stream.token_begin(choice.tokens.size())};
            for (const TokenLogprob & other : event.top) {
                info.top.emplace_back(tools.model.token_bytes(other.token, true), static_cast<double>(other.logprob));
            }
            choice.tokens.push_back(std::move(info));
        }
        if (choice.held && event.projections.size() / watched() >= tools.guard->window()) {
            settle(choice, event.prompt_projection, event.projections);
        }
        if (!choice.held && !choice.rejected) {
            give_out(c, std::nullopt);
        }
        return go_on && !choice.rejected;
    }

    void on_done(std::size_t c, const Response & response) {
        Choice & choice = choices[c];
        if (choice.held) { // shorter than the window
            settle(choice, response.prompt_projection, response.projections);
        }
        if (choice.rejected) {
            write_anew(c);
            return;
        }
        choice.stream.end();
        ChoiceEnd end;
        end.finish_reason = response.finish == FinishReason::length && !choice.stream.stopped() ? "length" : "stop";
        end.thinking = tools.model.detokenize(response.thinking);
        end.defended = choice.defended;
        end.draft = std::move(choice.draft);
        if (tools.guard != nullptr) {
            end.watched =
                read_watch(watched(), tools.guard->window(), response.prompt_projection, response.projections);
            end.watched->defended = choice.defended;
        }
        {
            const std::lock_guard lock(mutex);
            usage.completion_tokens += response.tokens.size() + response.thinking.size();
        }
        give_out(c, std::move(end));
    }

    void on_error(const Error & error) {
        {
            const std::lock_guard lock(mutex);
            if (!failure) {
                failure = error;
            }
        }
        news.notify_all();
    }

    std::size_t watched() const { return tools.guard->watch.names.size(); }

    /// Whether the draft stands, by its first tokens.
    void settle(Choice & choice, std::span<const float> prompt, std::span<const float> projections) const {
        choice.held = false;
        WatchReading reading = read_watch(watched(), tools.guard->window(), prompt, projections);
        if (reading.n_tokens > 0 &&
            is_flagged(*tools.guard->thresholds, exceeding(*tools.guard->thresholds, reading, /* early = */ true))) {
            choice.rejected = true;
            choice.draft = std::move(reading);
        }
    }

    void write_anew(std::size_t c) {
        Choice & choice = choices[c];
        choice.rejected = false;
        choice.defended = true;
        choice.stream = TextStream(stops);
        choice.tokens.clear();
        choice.request.intervention = tools.desk.with(choice.request.intervention, tools.guard->ablation);
        try {
            start(c);
        } catch (const Error & error) {
            on_error(error);
        }
    }

    /// Puts what may be given out by now into the queue.
    void give_out(std::size_t c, std::optional<ChoiceEnd> end) {
        Choice & choice = choices[c];
        ChoiceDelta delta;
        delta.choice = c;
        delta.text = choice.stream.take();
        const std::size_t n = logprobs ? choice.stream.tokens_out() : 0;
        for (; choice.tokens_given < n; ++choice.tokens_given) {
            delta.tokens.push_back(choice.tokens[choice.tokens_given]);
        }
        delta.end = std::move(end);
        if (delta.text.empty() && delta.tokens.empty() && !delta.end) {
            return;
        }
        {
            const std::lock_guard lock(mutex);
            queue.push_back(std::move(delta));
        }
        news.notify_all();
    }

    void cancel() {
        const std::lock_guard lock(mutex);
        cancelled = true;
        for (const std::optional<LiveScheduler::Ticket> & ticket : tickets) {
            if (ticket) {
                tools.scheduler.cancel(*ticket);
            }
        }
    }

    Tools tools;
    std::vector<std::string> stops;
    bool logprobs;
    std::deque<Choice> choices;

    std::mutex mutex; ///< of what follows
    std::condition_variable news;
    std::deque<ChoiceDelta> queue;
    std::vector<std::optional<LiveScheduler::Ticket>> tickets;
    std::optional<Error> failure;
    std::optional<Clock::time_point> first;
    Usage usage;
    std::size_t ended = 0; ///< responses whose end was handed out
    bool cancelled = false;
};

Generation::Generation(const Tools & tools, const ApiRequest & api) : state_(std::make_shared<State>(tools, api)) {
    State & state = *state_;
    state.tickets.resize(api.choices());
    const Guard * guard = tools.guard;
    for (std::size_t p = 0; p < api.prompts.size(); ++p) {
        state.usage.prompt_tokens += api.prompts[p].size();
        for (int i = 0; i < api.n; ++i) {
            Choice & choice = state.choices.emplace_back(api.stops);
            Request & request = choice.request;
            request.prompt = api.prompts[p];
            request.max_tokens = api.max_tokens;
            request.sampling = api.sampling;
            if (state.choices.size() > 1) {
                request.sampling.seed = derive_seed(api.sampling.seed, fmt::format("choice/{}", state.choices.size()));
            }
            request.ignore_eos = api.ignore_eos;
            request.logprobs = api.logprobs;
            request.top_logprobs = api.top_logprobs;
            request.intervention = api.intervention;
            if (guard != nullptr) {
                request.capture.projector = guard->watch.projector;
                choice.held = guard->defend == Defend::flagged;
                if (guard->defend == Defend::all) {
                    request.intervention = tools.desk.with(request.intervention, guard->ablation);
                    choice.defended = true;
                }
            }
        }
    }
    try {
        for (std::size_t c = 0; c < state.choices.size(); ++c) {
            state.start(c);
        }
    } catch (...) {
        state.cancel();
        throw;
    }
}

Generation::~Generation() {
    if (!done()) {
        state_->cancel();
    }
}

std::optional<ChoiceDelta> Generation::next(std::chrono::milliseconds patience) {
    std::unique_lock lock(state_->mutex);
    state_->news.wait_for(lock, patience, [&] { return !state_->queue.empty() || state_->failure; });
    if (state_->failure) {
        throw Error(*state_->failure);
    }
    if (state_->queue.empty()) {
        return std::nullopt;
    }
    ChoiceDelta delta = std::move(state_->queue.front());
    state_->queue.pop_front();
    state_->ended += delta.end ? 1 : 0;
    return delta;
}

bool Generation::done() const {
    const std::lock_guard lock(state_->mutex);
    return state_->ended == state_->tickets.size();
}

Usage Generation::usage() const {
    const std::lock_guard lock(state_->mutex);
    return state_->usage;
}

std::optional<Clock::time_point> Generation::first_token() const {
    const std::lock_guard lock(state_->mutex);
    return state_->first;
}

} // namespace valuelens
