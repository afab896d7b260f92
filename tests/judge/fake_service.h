#pragma once

#include <functional>
#include <string>
#include <vector>

#include "clients/service.h"

namespace valuelens::test {

/// A service whose answers the test gives, and that remembers what it was asked.
class FakeService : public ChatService {
public:
    using Answer = std::function<ChatOutcome(const ChatRequest & request)>;

    explicit FakeService(Answer answer, std::vector<ChatRequest> * asked = nullptr)
        : answer_(std::move(answer)), asked_(asked) {}

    const std::string & model() const override { return model_; }
    std::string address() const override { return "http://fake/v1"; }

    void ask_all(std::span<const ChatRequest> requests, const OnDone & on_done, std::stop_token stop) override {
        for (std::size_t i = requests.size(); i-- > 0;) { // any order is allowed
            on_done(i, ask(requests[i], stop));
        }
    }

    ChatOutcome ask(const ChatRequest & request, std::stop_token) override {
        if (asked_ != nullptr) {
            asked_->push_back(request);
        }
        ChatOutcome outcome = answer_(request);
        stats_.answered += outcome.status == ChatStatus::answered ? 1 : 0;
        return outcome;
    }

    ServiceStats stats() const override { return stats_; }

private:
    std::string model_ = "fake-model";
    Answer answer_;
    std::vector<ChatRequest> * asked_;
    ServiceStats stats_;
};

inline ChatOutcome answered(const std::string & content, std::vector<TokenTextLogprob> first_token = {}) {
    ChatOutcome outcome;
    outcome.reply.content = content;
    outcome.reply.first_token = std::move(first_token);
    outcome.reply.finish_reason = "stop";
    outcome.reply.prompt_tokens = 50;
    return outcome;
}

inline ChatOutcome failed(ChatStatus status, const std::string & problem) {
    ChatOutcome outcome;
    outcome.status = status;
    outcome.problem = problem;
    return outcome;
}

} // namespace valuelens::test
