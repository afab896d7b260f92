#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/fail.h"
#include "base/random.h"
#include "evaluate/rater.h"
#include "evaluate/rater_answers.h"

namespace valuelens {
namespace {

constexpr int most_attempts = 3;
constexpr int offered_logprobs = 20; // the most that OpenAI and vLLM give
constexpr int number_tokens = 3;     // room for "10" in single digits and a blank

/// What shows how a server answers.
constexpr const char * trial = "How polite is the greeting \"Good morning!\"? 0 is rude, 10 is polite. Reply with one "
                               "whole number from 0 to 10 and nothing else.";

enum class Mode { logprobs, json_schema, json };

const char * to_string(Mode mode) {
    return mode == Mode::logprobs ? "logprobs" : mode == Mode::json_schema ? "json_schema" : "json";
}

bool are_numbers(std::span<const std::string> answers) {
    return std::all_of(answers.begin(), answers.end(), [](const std::string & answer) {
        return answer.find_first_not_of("0123456789") == std::string::npos;
    });
}

std::string schema_of(std::span<const std::string> answers) {
    nlohmann::json list = nlohmann::json::array();
    const bool numbers = are_numbers(answers);
    for (const std::string & answer : answers) {
        list.push_back(numbers ? nlohmann::json(std::stoi(answer)) : nlohmann::json(answer));
    }
    return nlohmann::json({{"type", "object"},
                           {"properties", {{"answer", {{"type", numbers ? "integer" : "string"}, {"enum", list}}}}},
                           {"required", {"answer"}},
                           {"additionalProperties", false}})
        .dump();
}

class ServerRater : public Rater {
public:
    ServerRater(std::unique_ptr<ChatService> service, const ServerRaterOptions & options, ProgressSink & progress,
                std::stop_token stop)
        : service_(std::move(service)), options_(options), progress_(progress), stop_(std::move(stop)) {
        find_mode();
    }

    std::vector<Verdict> ask(const std::string & stage, std::span<const std::string> questions,
                             std::span<const std::string> answers) override {
        std::vector<Verdict> verdicts(questions.size());
        std::vector<std::size_t> open(questions.size());
        std::iota(open.begin(), open.end(), std::size_t{0});
        std::size_t done = 0;
        progress_.start(stage, questions.size(), "questions");
        for (int attempt = 0; !open.empty(); ++attempt) {
            // What has a fixed answer is not asked twice.
            const bool last = attempt + 1 == most_attempts || mode_ == Mode::logprobs;
            std::vector<ChatRequest> requests;
            for (const std::size_t question : open) {
                requests.push_back(request_for(questions[question], answers, attempt));
            }
            std::vector<std::size_t> unread;
            service_->ask_all(
                requests,
                [&](std::size_t index, ChatOutcome && outcome) {
                    const std::size_t question = open[index];
                    verdicts[question] = read(outcome, answers);
                    if (verdicts[question].problem == NoVerdict::unparsable && !last) {
                        unread.push_back(question);
                    } else {
                        progress_.advance(++done);
                    }
                },
                stop_);
            std::sort(unread.begin(), unread.end());
            open = std::move(unread);
        }
        progress_.finish();
        return verdicts;
    }

    bool offers_probabilities() const override { return mode_ == Mode::logprobs; }

    const std::string & model() const override { return service_->model(); }

    void describe(Evaluation & evaluation, const std::string & role) const override {
        evaluation.settings.emplace_back(role, service_->model());
        evaluation.settings.emplace_back(role + "_answers", fmt::format("{} of a server", to_string(mode_)));
        if (const std::string address = service_->address(); !address.empty()) {
            evaluation.settings.emplace_back(role + server_setting, address);
        }
    }

private:
    void find_mode() {
        std::vector<Mode> modes;
        if (options_.answers != RaterAnswers::json) {
            modes.push_back(Mode::logprobs);
        }
        if (options_.answers != RaterAnswers::logprobs) {
            modes.push_back(Mode::json_schema);
            modes.push_back(Mode::json);
        }
        std::string problem;
        for (const Mode mode : modes) {
            mode_ = mode;
            const ChatOutcome outcome = service_->ask(request_for(trial, rating_answers(), 0), stop_);
            if (outcome.status != ChatStatus::answered) {
                problem = outcome.problem;
                continue;
            }
            // Asked for JSON in words, a model may fail once and still answer most of the time.
            if (read(outcome, rating_answers()).given() || mode == Mode::json) {
                if (options_.answers == RaterAnswers::automatic && mode != Mode::logprobs) {
                    progress_.message(LogLevel::info, fmt::format("{}: {} gives no probabilities of its first "
                                                                  "token, so it is asked for JSON",
                                                                  options_.role, service_->model()));
                }
                return;
            }
            problem = mode == Mode::logprobs ? "no probabilities of a number as its first token" : "no JSON answer";
        }
        fail(ErrorKind::judge, "the model {} cannot judge: it gave {}; try another --answers or model",
             service_->model(), problem);
    }

    ChatRequest request_for(const std::string & question, std::span<const std::string> answers, int attempt) const {
        ChatRequest request;
        std::string user = question;
        if (mode_ == Mode::logprobs) {
            request.max_tokens = number_tokens;
            request.top_logprobs = offered_logprobs;
        } else {
            const std::string quote = are_numbers(answers) ? "" : "\"";
            user += fmt::format("\n\nWrite this reply as one JSON object and nothing else: {{\"answer\": X}}, where X "
                                "is {0}{1}{0}.",
                                quote, fmt::join(answers, quote + " or " + quote));
            request.max_tokens = options_.answer_tokens;
            request.json_schema = mode_ == Mode::json_schema ? schema_of(answers) : "";
        }
        request.messages.push_back({"user", std::move(user)});
        if (attempt > 0) { // drawn, so that it may turn out otherwise
            request.temperature = 0.7;
            request.seed = derive_seed(options_.seed, fmt::format("again {}", attempt));
        }
        return request;
    }

    Verdict read(const ChatOutcome & outcome, std::span<const std::string> answers) const {
        Verdict verdict;
        if (outcome.status != ChatStatus::answered) {
            verdict.problem = outcome.status == ChatStatus::rejected ? NoVerdict::rejected : NoVerdict::unparsable;
            return verdict;
        }
        if (mode_ == Mode::logprobs) {
            if (auto found = first_token_probabilities(outcome.reply.first_token, answers, outcome.reply.content)) {
                verdict.probabilities = std::move(*found);
                verdict.mass = std::accumulate(verdict.probabilities.begin(), verdict.probabilities.end(), 0.0);
                for (double & probability : verdict.probabilities) {
                    probability /= verdict.mass;
                }
            }
        } else if (const auto stated = stated_answer(outcome.reply.content, answers)) {
            verdict.probabilities.assign(answers.size(), 0.0);
            verdict.probabilities[*stated] = 1;
        }
        verdict.problem = verdict.given() ? NoVerdict::none : NoVerdict::unparsable;
        return verdict;
    }

    std::unique_ptr<ChatService> service_;
    ServerRaterOptions options_;
    ProgressSink & progress_;
    std::stop_token stop_;
    Mode mode_ = Mode::logprobs;
};

} // namespace

std::unique_ptr<Rater> make_server_rater(std::unique_ptr<ChatService> service, const ServerRaterOptions & options,
                                         ProgressSink & progress, std::stop_token stop) {
    return std::make_unique<ServerRater>(std::move(service), options, progress, std::move(stop));
}

} // namespace valuelens
