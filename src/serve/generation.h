#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/watch.h"
#include "serve/api_error.h"
#include "serve/api_request.h"
#include "serve/guard.h"
#include "valuelens/live_scheduler.h"

namespace valuelens {

/// A response token as the API shows it.
struct TokenInfo {
    std::string bytes;
    double logprob = 0;
    std::vector<std::pair<std::string, double>> top; ///< likeliest first
    std::size_t text_offset = 0;                     ///< bytes of the response's text before it
};

/// The end of one response.
struct ChoiceEnd {
    const char * finish_reason = "stop"; ///< OpenAI's word
    std::string thinking;                ///< text of a leading think block
    std::optional<WatchReading> watched;
    std::optional<WatchReading> draft; ///< of the draft that was thrown away
    bool defended = false;             ///< written with the guarded directions taken out
};

/// The next piece of one response.
struct ChoiceDelta {
    std::size_t choice = 0;
    std::string text;
    std::vector<TokenInfo> tokens; ///< where logprobs are asked for
    std::optional<ChoiceEnd> end;
};

struct Usage {
    std::size_t prompt_tokens = 0;
    std::size_t completion_tokens = 0;
    std::size_t total() const { return prompt_tokens + completion_tokens; }
};

/// The responses to one request, being written. Destroying it cancels what is not done.
class Generation {
public:
    /// What the responses are written with; all outlive the generation and its cancelled remains.
    struct Tools {
        LiveScheduler & scheduler;
        const Model & model;
        SteeringDesk & desk;
        const Guard * guard = nullptr; ///< null: nothing is watched
    };

    /// Hands the requests to the scheduler. Throws Error as LiveScheduler::submit() does.
    Generation(const Tools & tools, const ApiRequest & request);
    ~Generation();
    Generation(const Generation &) = delete;
    Generation & operator=(const Generation &) = delete;

    /// The next piece, waited for at most so long. Throws Error where one of the responses failed.
    std::optional<ChoiceDelta> next(std::chrono::milliseconds patience);

    /// Every response is at its end and handed out.
    bool done() const;

    Usage usage() const;
    /// When the first token was drawn; nothing: not yet.
    std::optional<std::chrono::steady_clock::time_point> first_token() const;

private:
    struct State;
    std::shared_ptr<State> state_;
};

} // namespace valuelens
