#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "clients/service.h"

namespace valuelens {

/// What became of one question.
struct AskerAnswer {
    std::optional<double> number; ///< yes_no(): log-odds of yes; rate(): 1 to 5
    std::string text;             ///< explain(): the phrase
    std::string problem;          ///< why there is none; empty: there is one
};

/// Puts questions to a chat service and reads its answers. An answer that cannot be read is asked for again, drawn with
/// temperature, twice; then it has failed. So has a question that the service rejects. When the service fails for good,
/// all questions that are open then, and all later ones, have failed with its reason.
class Asker {
public:
    /// `on_answer` is called at each answer, from any thread, but never twice at the same time.
    Asker(ChatService & service, std::uint64_t seed, std::stop_token stop, std::function<void()> on_answer = {});

    /// A phrase that explains.
    std::vector<AskerAnswer> explain(std::span<const std::string> prompts, int max_tokens);

    /// Yes or no: log-odds by the probabilities of the first token where the service gives them; else the word that it
    /// writes, as log-odds of 1 or -1.
    std::vector<AskerAnswer> yes_no(std::span<const std::string> prompts);

    /// A number from 1 to 5: its expected value by the probabilities of the first token; else the number that is
    /// written.
    std::vector<AskerAnswer> rate(std::span<const std::string> prompts);

    /// Why the service failed for good; empty: it has not.
    const std::string & down() const { return down_; }

private:
    using Read = std::function<AskerAnswer(const ChatReply & reply)>;
    std::vector<AskerAnswer> ask(std::span<const std::string> prompts, const ChatRequest & form, const Read & read);

    ChatService & service_;
    std::uint64_t seed_;
    std::stop_token stop_;
    std::function<void()> on_answer_;
    std::string down_;
};

/// The phrase of an explainer's answer: a think block, quotes, a label before it and what follows the first line are
/// taken off; of a line of more than 15 words, or one that was cut off, what follows its first sentence, too. A problem
/// for an answer that is empty, has no letter, refuses, is longer than a phrase, or was cut off before its first
/// sentence ended.
AskerAnswer read_phrase(const ChatReply & reply);
AskerAnswer read_yes_no(const ChatReply & reply);
AskerAnswer read_rating(const ChatReply & reply);

} // namespace valuelens
