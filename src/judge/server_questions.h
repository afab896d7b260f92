#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "clients/chat.h"
#include "clients/first_token.h"
#include "judge/ask_prompt.h"
#include "valuelens/concept_set.h"

namespace valuelens {

/// How a server's model gives its opinion.
enum class AnswerMode {
    logprobs,    ///< probabilities of yes and no as its first token (top_logprobs)
    json_schema, ///< a JSON object that the server makes it write (response_format)
    json,        ///< a JSON object that it is asked for
};

/// How a server is asked, and how its answers are read. The question itself is an AskPrompt, as for a local model.
struct ServerQuestions {
    AskPrompt prompt;
    AnswerMode mode = AnswerMode::logprobs;
    int answer_tokens = 64; ///< longest JSON answer

    ChatRequest ask(const Concept & wanted, const std::string & text) const;

    /// The same again after an answer that could not be read: drawn, so that it may turn out otherwise. `attempt`
    /// counts from 1.
    ChatRequest ask_again(const Concept & wanted, const std::string & text, int attempt, std::uint64_t seed) const;

    /// The log-odds of yes that an answer states; nothing where it states none. With logprobs they are still to be
    /// calibrated against those for an empty text.
    std::optional<double> log_odds(const ChatReply & reply) const;

    /// Whether the log-odds are relative to those for an empty text.
    bool calibrated() const { return mode == AnswerMode::logprobs; }

    /// One line with all that a label depends on.
    std::string describe(const std::string & model) const;
};

/// The probability (0-1) that a JSON answer states: an object with "probability", a number from 0 to 100, and nothing
/// else; a think block before it and a code fence around it are passed over. Nothing for anything else.
std::optional<double> stated_probability(const std::string & content);

} // namespace valuelens
