#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "clients/chat.h"
#include "valuelens/model.h"

namespace valuelens {

/// A way to write an answer.
struct AnswerTokens {
    std::size_t answer = 0; ///< its place among the answers
    std::vector<Token> tokens;
    bool operator==(const AnswerTokens &) const = default;
};

/// How a model may write the answers as its next words: each as it stands, and where that is one token, also with a
/// space before it, if that is one token that means no other answer.
std::vector<AnswerTokens> answer_tokens(const Model & model, std::span<const std::string> answers);

/// The probability of each answer from the log-probabilities of its ways to be written. One whose tokens begin another
/// answer's loses what belongs to that one.
std::vector<double> answer_probabilities(std::span<const AnswerTokens> ways, std::span<const double> logprobs,
                                         std::size_t n_answers);

/// The same from the most probable first tokens of a server's answer, upper and lower case and white space aside; a
/// token may be a beginning of an answer. One that begins several answers ("1" of 1 and 10, where "10" is not among the
/// tokens) counts for the one nearest to what the model wrote. Nothing where no token begins an answer.
std::optional<std::vector<double>> first_token_probabilities(const std::vector<TokenTextLogprob> & tokens,
                                                             std::span<const std::string> answers,
                                                             const std::string & written);

/// The answer that a text states: a JSON object with "answer" (a text or a number) and nothing else, or one of the
/// answers as it stands, a full stop after it aside; a think block before and a code fence around are passed over.
/// Nothing for anything else.
std::optional<std::size_t> stated_answer(const std::string & content, std::span<const std::string> answers);

} // namespace valuelens
