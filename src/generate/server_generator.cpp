#include "generate/server_generator.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <set>

#include "base/fail.h"
#include "clients/answer_journal.h"

namespace valuelens {

namespace {

constexpr std::size_t checked_first = 4;

class ServerGenerator : public Generator {
public:
    ServerGenerator(std::unique_ptr<Generator> local, std::unique_ptr<ChatService> service,
                    ServerGeneratorOptions options)
        : local_(std::move(local)), service_(std::move(service)), options_(std::move(options)),
          journal_(options_.kept_answers), merges_system_(local_->render("system", "user").system_merged) {
        nlohmann::json kwargs = {{"enable_thinking", false}}; // as the local template has it; others do not mind
        if (!options_.template_kwargs.empty()) {
            kwargs.update(nlohmann::json::parse(options_.template_kwargs));
        }
        template_kwargs_ = kwargs.dump();
    }

    const ModelInfo & info() const override { return local_->info(); }

    RenderedPrompt render(const std::optional<std::string> & system, const std::string & user) const override {
        return local_->render(system, user);
    }

    std::string detokenize(std::span<const Token> tokens) const override { return local_->detokenize(tokens); }

    std::vector<Generated> run(std::span<const Request> requests, std::span<const ChatPrompt> chats,
                               const std::function<void(const Response &)> & on_done, ProgressSink & progress,
                               std::stop_token stop, SchedulerStats & stats) override {
        if (requests.size() != chats.size()) {
            fail(ErrorKind::internal, "{} requests came with {} chats", requests.size(), chats.size());
        }
        const auto begin = std::chrono::steady_clock::now();
        std::vector<Generated> results(requests.size());
        std::vector<ChatRequest> questions;
        for (std::size_t i = 0; i < requests.size(); ++i) {
            questions.push_back(chat_request(requests[i], chats[i]));
        }
        journal_.begin(*service_, questions);
        if (!checked_) {
            ask(requests, questions, first_ones(requests.size()), results, stop);
            require_same_prompts();
            checked_ = true;
        }
        std::vector<std::size_t> rest;
        for (std::size_t i = 0; i < requests.size(); ++i) {
            if (results[i].response.tokens.empty() && results[i].dropped.empty()) {
                rest.push_back(i);
            }
        }
        ask(requests, questions, rest, results, stop);
        report(progress);

        capture(requests, on_done, progress, stop, stats, results);
        stats.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        return results;
    }

private:
    static std::vector<std::size_t> first_ones(std::size_t n) {
        std::set<std::size_t> places;
        for (std::size_t i = 0; i < std::min(checked_first, n); ++i) {
            places.insert(i * n / std::min(checked_first, n));
        }
        return {places.begin(), places.end()};
    }

    ChatRequest chat_request(const Request & request, const ChatPrompt & chat) const {
        ChatRequest result;
        if (merges_system_) { // as the local template does it, whatever the server's would do
            result.messages.push_back({"user", chat.system.empty() ? chat.user : chat.system + "\n\n" + chat.user});
        } else {
            result.messages = {{"system", chat.system}, {"user", chat.user}};
        }
        // Everything that a server might have a default of its own for.
        result.max_tokens = request.max_tokens;
        result.temperature = request.sampling.temperature;
        result.top_p = request.sampling.top_p;
        result.min_p = request.sampling.min_p;
        result.top_k = request.sampling.top_k > 0 ? request.sampling.top_k : -1;
        result.repetition_penalty = 1;
        result.seed = request.sampling.seed;
        result.template_kwargs = template_kwargs_;
        return result;
    }

    void ask(std::span<const Request> requests, std::span<const ChatRequest> questions,
             const std::vector<std::size_t> & places, std::vector<Generated> & results, const std::stop_token & stop) {
        std::vector<ChatRequest> asked;
        for (const std::size_t place : places) {
            asked.push_back(questions[place]);
        }
        journal_.ask_all(
            *service_, asked,
            [&](std::size_t index, ChatOutcome && outcome) {
                Generated & result = results[places[index]];
                result = read(requests[places[index]], std::move(outcome));
                return result.dropped.empty();
            },
            stop);
    }

    Generated read(const Request & request, ChatOutcome && outcome) {
        Generated result;
        if (outcome.status != ChatStatus::answered) {
            result.dropped = outcome.status == ChatStatus::rejected ? "the server rejected the request"
                                                                    : "the server's answer could not be used";
            last_problem_ = outcome.problem;
            return result;
        }
        const ChatReply & reply = outcome.reply;
        if (!reply.prompt_tokens) {
            ++uncounted_;
        } else if (*reply.prompt_tokens != request.prompt.size()) {
            differing_.push_back(fmt::format("{} there, {} here", *reply.prompt_tokens, request.prompt.size()));
            result.dropped = "the server read another number of prompt tokens";
            return result;
        }
        if (!reply.reasoning.empty() || reply.content.starts_with("<think>")) {
            result.dropped = "the server's model thought before it answered";
        } else if (reply.finish_reason != "stop" && reply.finish_reason != "length") {
            result.dropped = "the server ended the response for another reason than its end or max_tokens";
        } else {
            result.response.finish = reply.finish_reason == "stop" ? FinishReason::end_of_turn : FinishReason::length;
            result.response.tokens = options_.tokenize(reply.content);
            if (result.response.tokens.empty()) {
                result.dropped = "no response tokens";
            }
            count_recut(reply, result.response);
        }
        return result;
    }

    // The server counts the end-of-turn token, or does not.
    void count_recut(const ChatReply & reply, const Response & response) {
        ++read_;
        const std::uint64_t here = response.tokens.size();
        const std::uint64_t there = reply.completion_tokens.value_or(here);
        const bool same = there == here || (response.finish == FinishReason::end_of_turn && there == here + 1);
        recut_ += same ? 0 : 1;
    }

    void require_same_prompts() {
        if (!differing_.empty()) {
            fail(ErrorKind::judge,
                 "the server's model {} and {} here make other numbers of tokens of the same prompts ({}): their chat "
                 "templates or models differ, so what is captured here would not be what happened there; give the "
                 "server the template of this model, or name the server's in model.chat_template",
                 service_->model(), info().name, fmt::join(differing_, "; "));
        }
        if (uncounted_ > 0) {
            fail(ErrorKind::judge,
                 "the server of {} reports no prompt tokens (usage.prompt_tokens), so nothing shows that it reads the "
                 "prompts that are captured here; use a server that does, such as vLLM, SGLang or llama-server",
                 service_->model());
        }
    }

    void report(ProgressSink & progress) {
        if (!differing_.empty()) {
            progress.message(LogLevel::warning,
                             fmt::format("generate: {} responses dropped, since the server read another number of "
                                         "prompt tokens ({})",
                                         differing_.size(), differing_.front()));
            differing_.clear();
        }
        if (!last_problem_.empty()) {
            progress.message(LogLevel::warning,
                             fmt::format("generate: the server would not answer some requests ({})", last_problem_));
            last_problem_.clear();
        }
        if (journal_.reused() > 0) {
            progress.message(LogLevel::info, fmt::format("generate: {} answers of the server were kept from the last "
                                                         "time and are not asked for again",
                                                         journal_.reused()));
        }
        progress.message(
            LogLevel::debug,
            fmt::format("generate: {} of {} responses have another number of tokens here than on the server", recut_,
                        read_));
    }

    void capture(std::span<const Request> requests, const std::function<void(const Response &)> & on_done,
                 ProgressSink & progress, const std::stop_token & stop, SchedulerStats & stats,
                 std::vector<Generated> & results) const {
        std::vector<Request> readings;
        std::vector<std::size_t> places;
        for (std::size_t i = 0; i < requests.size(); ++i) {
            if (!results[i].dropped.empty()) {
                on_done(results[i].response);
                continue;
            }
            Request reading = requests[i];
            reading.kind = RequestKind::continue_;
            reading.response = results[i].response.tokens;
            readings.push_back(std::move(reading));
            places.push_back(i);
        }
        std::vector<Generated> read = local_->run(readings, {}, on_done, progress, stop, stats);
        for (std::size_t i = 0; i < read.size(); ++i) {
            Generated & result = results[places[i]];
            const FinishReason finish = result.response.finish;
            result = std::move(read[i]);
            if (result.response.finish == FinishReason::done) {
                result.response.finish = finish;
                stats.generated_tokens += result.response.tokens.size();
            }
        }
    }

    std::unique_ptr<Generator> local_;
    std::unique_ptr<ChatService> service_;
    ServerGeneratorOptions options_;
    AnswerJournal journal_;
    bool merges_system_;
    std::string template_kwargs_;
    bool checked_ = false;
    std::size_t uncounted_ = 0;
    std::vector<std::string> differing_;
    std::string last_problem_;
    std::size_t read_ = 0;
    std::size_t recut_ = 0;
};

} // namespace

std::unique_ptr<Generator> make_server_generator(std::unique_ptr<Generator> local, std::unique_ptr<ChatService> service,
                                                 ServerGeneratorOptions options) {
    return std::make_unique<ServerGenerator>(std::move(local), std::move(service), std::move(options));
}

} // namespace valuelens
