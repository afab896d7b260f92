#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <stop_token>

#include "clients/cost.h"
#include "clients/service.h"
#include "judge/server_questions.h"
#include "valuelens/judge.h"

namespace valuelens {

/// Which kind of answer a server is asked for.
enum class ServerAnswers {
    automatic, ///< probabilities of the first token where the server offers them, else JSON
    logprobs,
    json,
};

struct ServerJudgeOptions {
    AskPrompt prompt;
    ServerAnswers answers = ServerAnswers::automatic;
    int answer_tokens = 64; ///< longest JSON answer
    TokenPrices prices;     ///< for estimate()
    std::uint64_t seed = 0; ///< of what is asked again

    /// Where answers are kept until all texts of a call of judge() have theirs (AnswerJournal); empty: nowhere.
    std::filesystem::path kept_answers;
};

/// A judge that asks a server's model. One question is put at once, to find out what kind of answer the server gives;
/// Error(judge) where it gives none that can be read.
///
/// First-token probabilities are calibrated against those for an empty text, as a local model's are. A JSON answer that
/// cannot be read is asked for again, twice; then there is no opinion. Nor is there one on a text that the server
/// rejects. Both are counted and reported.
std::unique_ptr<Judge> make_server_judge(std::unique_ptr<ChatService> service, const ConceptSet & concepts,
                                         ServerJudgeOptions options, ProgressSink & progress,
                                         std::stop_token stop = {});

} // namespace valuelens
