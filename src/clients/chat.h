#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "valuelens/model.h"

namespace valuelens {

/// One chat to be answered. What is not set is not sent, and left to the server.
struct ChatRequest {
    std::vector<ChatMessage> messages;
    int max_tokens = 64;
    double temperature = 0;
    std::optional<double> top_p;
    std::optional<double> min_p; ///< not OpenAI's, but vLLM's, SGLang's and llama-server's; so is top_k
    std::optional<int> top_k;
    std::optional<double> repetition_penalty; ///< vLLM's and SGLang's
    std::optional<std::uint64_t> seed;        ///< sent modulo 2^31, since some servers take no more
    std::vector<std::string> stop;
    int top_logprobs = 0;        ///< ask for so many most probable tokens at each place; 0: none
    std::string json_schema;     ///< the answer is to fit it (response_format); empty: any text
    std::string template_kwargs; ///< JSON object for the chat template (chat_template_kwargs); empty: not sent
};

struct TokenTextLogprob {
    std::string token;
    double logprob = 0; ///< natural log
};

/// The first choice of a chat completion.
struct ChatReply {
    std::string model; ///< as the server calls it; may be empty
    std::string content;
    std::string reasoning; ///< what a thinking model wrote before, where the server tells it apart
    std::string finish_reason;
    std::vector<TokenTextLogprob> first_token; ///< most probable first tokens; empty: the server offers none
    std::optional<std::uint64_t> prompt_tokens;
    std::optional<std::uint64_t> completion_tokens;
};

/// The body of POST /chat/completions, one line of JSON.
std::string chat_body(const ChatRequest & request, const std::string & model);

/// Reads a chat completion. Nothing where it is none; `problem` then says in a few words what is wrong.
std::optional<ChatReply> parse_chat_reply(std::string_view body, std::string & problem);

/// What a server says went wrong: its error's message in one line of at most 200 bytes, "" where it says nothing.
std::string server_message(std::string_view body);

} // namespace valuelens
