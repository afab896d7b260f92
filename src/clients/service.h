#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <string>

#include "clients/chat.h"

namespace valuelens {

enum class ChatStatus {
    answered,
    rejected, ///< the server will not have this request (400, 413, 422): too long, or with something it does not know
    unusable, ///< what it answers is no chat completion, and was not after some retries
};

/// What became of one request.
struct ChatOutcome {
    ChatStatus status = ChatStatus::answered;
    ChatReply reply;     ///< answered
    std::string problem; ///< else: a few words
};

/// What a service has done so far.
struct ServiceStats {
    std::uint64_t answered = 0;
    std::uint64_t retries = 0;
    std::uint64_t prompt_tokens = 0; ///< as far as the server tells
    std::uint64_t completion_tokens = 0;
};

/// Answers chats: an OpenAI-compatible server (client.h); tests bring fakes.
class ChatService {
public:
    virtual ~ChatService() = default;

    /// The model that answers.
    virtual const std::string & model() const = 0;

    /// Its address, without anything secret; empty: in this process.
    virtual std::string address() const { return {}; }

    using OnDone = std::function<void(std::size_t index, ChatOutcome && outcome)>;

    /// Asks all requests, several at a time. `on_done` is called once for each, in any order and from any thread, but
    /// never twice at the same time. Throws Error(judge) when the server fails for good, or rejects or garbles all that
    /// it has been asked; Error(interrupted) on a stop request. No call of `on_done` comes after that.
    virtual void ask_all(std::span<const ChatRequest> requests, const OnDone & on_done, std::stop_token stop) = 0;

    /// One request, to find out what the server can do: a rejection is an outcome like any other.
    virtual ChatOutcome ask(const ChatRequest & request, std::stop_token stop) = 0;

    virtual ServiceStats stats() const = 0;
};

} // namespace valuelens
