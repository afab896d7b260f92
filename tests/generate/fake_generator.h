#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/fail.h"
#include "base/random.h"
#include "generate/generator.h"

/// A model of 2 layers of width 3 whose answers depend on prompt and seed alone. Words in the query steer it: "[empty]"
/// gives no tokens, "[long]" does not fit the context.
class FakeGenerator : public valuelens::Generator {
public:
    FakeGenerator() {
        info_.name = "fake";
        info_.identity = "0123456789abcdef";
        info_.n_layer = 2;
        info_.n_embd = 3;
    }

    const valuelens::ModelInfo & info() const override { return info_; }

    valuelens::RenderedPrompt render(const std::optional<std::string> & system,
                                     const std::string & user) const override {
        valuelens::RenderedPrompt prompt;
        prompt.text = "<s>" + system.value_or("(none)") + "<u>" + user + "<a>";
        prompt.tokens.assign(prompt.text.begin(), prompt.text.end());
        return prompt;
    }

    std::string detokenize(std::span<const valuelens::Token> tokens) const override {
        std::string text;
        for (const valuelens::Token token : tokens) {
            text += static_cast<char>('a' + token % 26);
        }
        return text;
    }

    std::vector<valuelens::Generated> run(std::span<const valuelens::Request> requests,
                                          std::span<const valuelens::ChatPrompt> chats,
                                          const std::function<void(const valuelens::Response &)> & on_done,
                                          valuelens::ProgressSink &, std::stop_token stop,
                                          valuelens::SchedulerStats & stats) override {
        ++runs;
        last_chats.assign(chats.begin(), chats.end());
        std::vector<valuelens::Generated> results;
        for (const valuelens::Request & request : requests) {
            if (before_request) {
                before_request(request);
            }
            if (stop.stop_requested()) {
                valuelens::fail(valuelens::ErrorKind::interrupted, "stopped");
            }
            results.push_back({answer(request), ""});
            const valuelens::Response & response = results.back().response;
            if (response.finish == valuelens::FinishReason::too_long) {
                results.back().dropped = "prompt and response do not fit the context";
            } else if (response.tokens.empty()) {
                results.back().dropped = "no response tokens";
            }
            if (request.kind == valuelens::RequestKind::generate) {
                stats.generated_tokens += response.tokens.size();
            }
            on_done(response);
        }
        return results;
    }

    std::function<void(const valuelens::Request &)> before_request;
    int runs = 0;
    std::vector<valuelens::ChatPrompt> last_chats;

private:
    static valuelens::Response answer(const valuelens::Request & request) {
        const std::string prompt(request.prompt.begin(), request.prompt.end());
        valuelens::Response response;
        response.finish = valuelens::FinishReason::end_of_turn;
        if (prompt.find("[empty]") != std::string::npos) {
            return response;
        }
        if (prompt.find("[long]") != std::string::npos) {
            response.finish = valuelens::FinishReason::too_long;
            return response;
        }
        valuelens::Rng rng(valuelens::derive_seed(request.sampling.seed, prompt));
        if (request.kind == valuelens::RequestKind::continue_) {
            response.finish = valuelens::FinishReason::done;
            response.tokens = request.response;
        } else {
            const std::uint64_t n = 1 + rng.below(static_cast<std::uint64_t>(request.max_tokens));
            for (std::uint64_t i = 0; i < n; ++i) {
                response.tokens.push_back(static_cast<valuelens::Token>(rng.below(100)));
            }
        }
        response.logprobs.assign(response.tokens.size(), -0.5f);
        for (int i = 0; i < 6; ++i) {
            response.resid_post.push_back(static_cast<float>(rng.normal()));
        }
        return response;
    }

    valuelens::ModelInfo info_;
};
