#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "valuelens/model.h"
#include "valuelens/progress.h"
#include "valuelens/request.h"

namespace valuelens {

/// A prompt as messages: what a generator elsewhere is sent. `system` is an explicit system message, even where empty.
struct ChatPrompt {
    std::string system;
    std::string user;
};

/// A response, or why there is none to use.
struct Generated {
    Response response;
    std::string dropped; ///< the reason, the same words for the same cause; empty: it can be used
};

/// What the generate stage needs of a model.
class Generator {
public:
    virtual ~Generator() = default;

    virtual const ModelInfo & info() const = 0;

    /// As Model::render_chat.
    virtual RenderedPrompt render(const std::optional<std::string> & system, const std::string & user) const = 0;

    /// Text of response tokens, control tokens left out.
    virtual std::string detokenize(std::span<const Token> tokens) const = 0;

    /// Runs the list as one unit (as Scheduler): what it yields depends on the list alone. `chats` are the same prompts
    /// as messages; a local generator does not need them. `on_done` is called once for each finished request. Responses
    /// come in the order of the requests. `progress` is used for messages. Throws Error(interrupted) on a stop request,
    /// Error(judge) when a server fails.
    virtual std::vector<Generated> run(std::span<const Request> requests, std::span<const ChatPrompt> chats,
                                       const std::function<void(const Response &)> & on_done, ProgressSink & progress,
                                       std::stop_token stop, SchedulerStats & stats) = 0;
};

/// A Generator over a loaded model and a scheduler of its own.
std::unique_ptr<Generator> make_generator(std::shared_ptr<Model> model, const SchedulerOptions & options);

} // namespace valuelens
