#include "judge/server_questions.h"

#include <nlohmann/json.hpp>
#include <string_view>

#include "base/fail.h"
#include "base/hash.h"
#include "base/random.h"
#include "clients/answer_text.h"
#include "judge/log_odds.h"

namespace valuelens {

namespace {

constexpr int offered_logprobs = 20; // the most that OpenAI and vLLM give

constexpr const char * answer_schema =
    R"({"type": "object", "properties": {"probability": {"type": "number"}}, "required": ["probability"], )"
    R"("additionalProperties": false})";

} // namespace

ChatRequest ServerQuestions::ask(const Concept & wanted, const std::string & text) const {
    ChatRequest request;
    std::string user = fill_prompt(prompt, wanted, text);
    if (mode == AnswerMode::logprobs) {
        request.max_tokens = 1;
        request.top_logprobs = offered_logprobs;
    } else {
        user += fmt::format("\n\nDo not answer {} or {}. Reply with one JSON object and nothing else, "
                            "{{\"probability\": P}}, where P from 0 to 100 says how probable it is that the answer is "
                            "{}.",
                            prompt.yes, prompt.no, prompt.yes);
        request.max_tokens = answer_tokens;
        request.json_schema = mode == AnswerMode::json_schema ? answer_schema : "";
    }
    request.messages.push_back({"user", std::move(user)});
    return request;
}

ChatRequest ServerQuestions::ask_again(const Concept & wanted, const std::string & text, int attempt,
                                       std::uint64_t seed) const {
    ChatRequest request = ask(wanted, text);
    request.temperature = 0.7;
    request.seed = derive_seed(seed, fmt::format("again {}", attempt));
    return request;
}

std::optional<double> ServerQuestions::log_odds(const ChatReply & reply) const {
    if (mode == AnswerMode::logprobs) {
        return first_token_odds(reply.first_token, prompt.yes, prompt.no);
    }
    const std::optional<double> probability = stated_probability(reply.content);
    return probability ? std::optional(valuelens::log_odds(*probability)) : std::nullopt;
}

std::string ServerQuestions::describe(const std::string & model) const {
    const std::string how = mode == AnswerMode::logprobs ? fmt::format("'{}'/'{}', calibrated", prompt.yes, prompt.no)
                                                         : "for a probability as JSON";
    return fmt::format("asked {} on a server {}, prompt {} ({})", model, how, prompt.name,
                       sha256_hex(prompt.user).substr(0, 12));
}

std::optional<double> stated_probability(const std::string & content) {
    const std::optional<std::string_view> text = answer_text(content);
    if (!text) {
        return std::nullopt;
    }
    const nlohmann::json answer = nlohmann::json::parse(*text, nullptr, false);
    if (!answer.is_object() || answer.size() != 1 || !answer.contains("probability") ||
        !answer["probability"].is_number()) {
        return std::nullopt;
    }
    const double percent = answer["probability"].get<double>();
    if (!(percent >= 0 && percent <= 100)) {
        return std::nullopt;
    }
    return percent / 100;
}

} // namespace valuelens
