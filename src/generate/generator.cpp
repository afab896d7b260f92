#include "generate/generator.h"

namespace valuelens {

namespace {

/// Passes messages on and drops the rest: the stage has one progress bar, not one for each slice.
class MessagesOnly : public ProgressSink {
public:
    explicit MessagesOnly(ProgressSink & sink) : sink_(sink) {}
    void message(LogLevel level, std::string_view text) override { sink_.message(level, text); }

private:
    ProgressSink & sink_;
};

class ModelGenerator : public Generator {
public:
    ModelGenerator(std::shared_ptr<Model> model, const SchedulerOptions & options)
        : model_(std::move(model)), scheduler_(model_, options) {}

    const ModelInfo & info() const override { return model_->info(); }

    RenderedPrompt render(const std::optional<std::string> & system, const std::string & user) const override {
        return model_->render_chat(system, user);
    }

    std::string detokenize(std::span<const Token> tokens) const override { return model_->detokenize(tokens); }

    std::vector<Generated> run(std::span<const Request> requests, std::span<const ChatPrompt> /*chats*/,
                               const std::function<void(const Response &)> & on_done, ProgressSink & progress,
                               std::stop_token stop, SchedulerStats & stats) override {
        std::vector<Generated> results(requests.size());
        MessagesOnly messages(progress);
        stats = scheduler_.run(
            requests,
            [&](std::size_t index, Response && response) {
                Generated & result = results[index];
                result.response = std::move(response);
                if (result.response.finish == FinishReason::too_long) {
                    result.dropped = "prompt and response do not fit the context";
                } else if (result.response.tokens.empty()) {
                    result.dropped = "no response tokens";
                }
                on_done(result.response);
            },
            messages, std::move(stop));
        return results;
    }

private:
    std::shared_ptr<Model> model_;
    Scheduler scheduler_;
};

} // namespace

std::unique_ptr<Generator> make_generator(std::shared_ptr<Model> model, const SchedulerOptions & options) {
    return std::make_unique<ModelGenerator>(std::move(model), options);
}

} // namespace valuelens
