// The shapes that OpenAI's clients read.

#include "serve/api_response.h"

#include <gtest/gtest.h>

namespace valuelens {
namespace {

using nlohmann::json;

ApiRequest request_of(Endpoint endpoint, int n = 1) {
    ApiRequest request;
    request.endpoint = endpoint;
    request.prompts = {{1, 2, 3}};
    request.n = n;
    return request;
}

ChoiceDelta delta_of(std::size_t choice, const std::string & text, const char * finish = nullptr) {
    ChoiceDelta delta;
    delta.choice = choice;
    delta.text = text;
    if (!text.empty()) {
        delta.tokens.push_back({text, -0.5, {{text, -0.5}, {"x\xFF", -2.0}}, 0});
    }
    if (finish != nullptr) {
        delta.end.emplace();
        delta.end->finish_reason = finish;
    }
    return delta;
}

/// The JSON of each event of a stream; [DONE] as null.
std::vector<json> events(const std::string & text) {
    std::vector<json> parsed;
    std::size_t at = 0;
    for (std::size_t end = 0; (end = text.find("\n\n", at)) != std::string::npos; at = end + 2) {
        const std::string event = text.substr(at, end - at);
        EXPECT_TRUE(event.starts_with("data: ")) << event;
        parsed.push_back(event == "data: [DONE]" ? json(nullptr) : json::parse(event.substr(6)));
    }
    EXPECT_EQ(at, text.size());
    return parsed;
}

TEST(ApiResponse, AChatAsAWhole) {
    ApiRequest request = request_of(Endpoint::chat, 2);
    request.logprobs = true;
    request.top_logprobs = 2;
    ApiResponse response(request, nullptr, "chatcmpl-1", "m", 12);
    response.take(delta_of(1, "Hi"));
    response.take(delta_of(0, "Good"));
    response.take(delta_of(0, " day", "length"));
    response.take(delta_of(1, "", "stop"));
    const json body = json::parse(response.whole({3, 4}));
    EXPECT_EQ(body["object"], "chat.completion");
    EXPECT_EQ(body["id"], "chatcmpl-1");
    EXPECT_EQ(body["created"], 12);
    ASSERT_EQ(body["choices"].size(), 2u);
    EXPECT_EQ(body["choices"][0]["message"], (json{{"role", "assistant"}, {"content", "Good day"}}));
    EXPECT_EQ(body["choices"][0]["finish_reason"], "length");
    EXPECT_EQ(body["choices"][1]["message"]["content"], "Hi");
    const json & logprobs = body["choices"][0]["logprobs"]["content"];
    ASSERT_EQ(logprobs.size(), 2u);
    EXPECT_EQ(logprobs[1]["token"], " day");
    EXPECT_EQ(logprobs[1]["bytes"], json({32, 100, 97, 121}));
    EXPECT_EQ(logprobs[1]["top_logprobs"][1]["token"], "x\xEF\xBF\xBD");
    EXPECT_EQ(logprobs[1]["top_logprobs"][1]["bytes"], json({120, 255}));
    EXPECT_EQ(body["usage"], (json{{"prompt_tokens", 3}, {"completion_tokens", 4}, {"total_tokens", 7}}));
}

TEST(ApiResponse, AChatAsAStream) {
    ApiRequest request = request_of(Endpoint::chat);
    request.include_usage = true;
    const ApiResponse response(request, nullptr, "chatcmpl-1", "m", 12);
    const std::vector<json> all = events(response.begin() + response.event(delta_of(0, "Hi")) +
                                         response.event(delta_of(0, " you", "stop")) + response.finish({3, 2}));
    ASSERT_EQ(all.size(), 6u);
    EXPECT_EQ(all[0]["choices"][0]["delta"], (json{{"role", "assistant"}, {"content", ""}}));
    EXPECT_EQ(all[1]["object"], "chat.completion.chunk");
    EXPECT_EQ(all[1]["choices"][0]["delta"]["content"], "Hi");
    EXPECT_TRUE(all[1]["choices"][0]["finish_reason"].is_null());
    EXPECT_TRUE(all[1]["usage"].is_null());
    EXPECT_EQ(all[3]["choices"][0]["delta"], json::object());
    EXPECT_EQ(all[3]["choices"][0]["finish_reason"], "stop");
    EXPECT_TRUE(all[4]["choices"].empty());
    EXPECT_EQ(all[4]["usage"]["total_tokens"], 5);
    EXPECT_TRUE(all[5].is_null());
    EXPECT_EQ(events(ApiResponse::error_event(ApiError(500, "broken")))[0]["error"]["message"], "broken");
}

TEST(ApiResponse, ACompletionHasTheOldLogprobs) {
    ApiRequest request = request_of(Endpoint::completions);
    request.logprobs = true;
    request.top_logprobs = 2;
    ApiResponse response(request, nullptr, "cmpl-1", "m", 12);
    response.take(delta_of(0, "Hi", "stop"));
    const json body = json::parse(response.whole({3, 1}));
    EXPECT_EQ(body["object"], "text_completion");
    EXPECT_EQ(body["choices"][0]["text"], "Hi");
    const json & logprobs = body["choices"][0]["logprobs"];
    EXPECT_EQ(logprobs["tokens"], json({"Hi"}));
    EXPECT_EQ(logprobs["token_logprobs"], json({-0.5}));
    EXPECT_EQ(logprobs["text_offset"], json({0}));
    EXPECT_EQ(logprobs["top_logprobs"][0]["Hi"], -0.5);
    const std::vector<json> all = events(response.begin() + response.event(delta_of(0, "Hi")) + response.finish({}));
    ASSERT_EQ(all.size(), 2u) << "no role, no usage unless asked for";
    EXPECT_EQ(all[0]["choices"][0]["text"], "Hi");
}

} // namespace
} // namespace valuelens
