#include "explain/local_chat.h"

#include <algorithm>

#include "base/fail.h"

namespace valuelens {

namespace {

class LocalChat : public ChatService {
public:
    LocalChat(std::shared_ptr<Model> model, const SchedulerOptions & options)
        : model_(std::move(model)), scheduler_(model_, options), name_(model_->info().name) {}

    const std::string & model() const override { return name_; }

    void ask_all(std::span<const ChatRequest> requests, const OnDone & on_done, std::stop_token stop) override {
        std::vector<Request> work;
        for (const ChatRequest & request : requests) {
            work.push_back(to_work(request));
        }
        scheduler_.run(
            work, [&](std::size_t index, Response && response) { on_done(index, outcome_of(work[index], response)); },
            silent_progress(), stop);
    }

    ChatOutcome ask(const ChatRequest & request, std::stop_token stop) override {
        ChatOutcome outcome;
        ask_all(
            std::span(&request, 1), [&](std::size_t, ChatOutcome && got) { outcome = std::move(got); }, stop);
        return outcome;
    }

    ServiceStats stats() const override { return stats_; }

private:
    Request to_work(const ChatRequest & request) const {
        Request work;
        work.prompt = (model_->info().has_chat_template ? model_->render_messages(request.messages)
                                                        : model_->render_plain(request.messages.back().content + "\n"))
                          .tokens;
        work.max_tokens = request.max_tokens;
        work.sampling.temperature = static_cast<float>(request.temperature);
        work.sampling.seed = request.seed.value_or(0);
        work.logprobs = request.top_logprobs > 0;
        work.top_logprobs = request.top_logprobs;
        return work;
    }

    ChatOutcome outcome_of(const Request & work, const Response & response) {
        ChatOutcome outcome;
        if (response.finish == FinishReason::too_long) {
            outcome.status = ChatStatus::rejected;
            outcome.problem = fmt::format("{} tokens are too long for the context; raise --ctx-size",
                                          work.prompt.size() + static_cast<std::size_t>(work.max_tokens));
            return outcome;
        }
        ChatReply & reply = outcome.reply;
        reply.model = name_;
        reply.content = model_->detokenize(response.tokens);
        reply.finish_reason = response.finish == FinishReason::length ? "length" : "stop";
        if (!response.top_logprobs.empty()) {
            for (const TokenLogprob & entry : response.top_logprobs.front()) {
                reply.first_token.push_back({model_->token_bytes(entry.token), static_cast<double>(entry.logprob)});
            }
        }
        reply.prompt_tokens = work.prompt.size();
        reply.completion_tokens = response.tokens.size();
        ++stats_.answered;
        stats_.prompt_tokens += work.prompt.size();
        stats_.completion_tokens += response.tokens.size();
        return outcome;
    }

    std::shared_ptr<Model> model_;
    Scheduler scheduler_;
    std::string name_;
    ServiceStats stats_;
};

} // namespace

std::unique_ptr<ChatService> make_local_chat(std::shared_ptr<Model> model, const SchedulerOptions & options) {
    return std::make_unique<LocalChat>(std::move(model), options);
}

} // namespace valuelens
