#include "clients/chat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace valuelens {
namespace {

using nlohmann::json;

TEST(ChatBody, HoldsWhatIsSetAndNothingElse) {
    ChatRequest request;
    request.messages = {{"system", ""}, {"user", "hi"}};
    request.max_tokens = 3;
    EXPECT_EQ(json::parse(chat_body(request, "m")),
              json({{"model", "m"},
                    {"messages", {{{"role", "system"}, {"content", ""}}, {{"role", "user"}, {"content", "hi"}}}},
                    {"max_tokens", 3},
                    {"temperature", 0.0}}));

    request.temperature = 0.5;
    request.top_p = 0.9;
    request.min_p = 0.1;
    request.top_k = -1;
    request.seed = (std::uint64_t{1} << 40) + 5;
    request.stop = {"\n"};
    request.top_logprobs = 20;
    request.json_schema = R"({"type":"object"})";
    request.template_kwargs = R"({"enable_thinking":false})";
    const json body = json::parse(chat_body(request, "m"));
    EXPECT_EQ(body["top_p"], 0.9);
    EXPECT_EQ(body["min_p"], 0.1);
    EXPECT_EQ(body["top_k"], -1);
    EXPECT_EQ(body["seed"], 5);
    EXPECT_EQ(body["stop"], json({"\n"}));
    EXPECT_EQ(body["logprobs"], true);
    EXPECT_EQ(body["top_logprobs"], 20);
    EXPECT_EQ(body["response_format"]["json_schema"]["schema"]["type"], "object");
    EXPECT_EQ(body["chat_template_kwargs"]["enable_thinking"], false);
}

TEST(ChatBody, IsOneLineOfValidUtf8) {
    ChatRequest request;
    request.messages = {{"user", "a\nb\xff"}};
    const std::string body = chat_body(request, "m");
    EXPECT_EQ(body.find('\n'), std::string::npos);
    EXPECT_EQ(json::parse(body)["messages"][0]["content"], "a\nb\xEF\xBF\xBD");
}

TEST(ParseChatReply, ReadsTheFirstChoice) {
    std::string problem;
    const auto reply = parse_chat_reply(R"({"model": "m", "choices": [{"finish_reason": "length",
        "message": {"role": "assistant", "content": "Yes", "reasoning_content": "hm"},
        "logprobs": {"content": [{"token": "Yes", "top_logprobs": [
            {"token": "Yes", "logprob": -0.1}, {"token": "No", "logprob": -3}, {"token": "x", "logprob": null}]},
            {"token": "!", "top_logprobs": []}]}}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 2}})",
                                        problem);
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->model, "m");
    EXPECT_EQ(reply->content, "Yes");
    EXPECT_EQ(reply->reasoning, "hm");
    EXPECT_EQ(reply->finish_reason, "length");
    ASSERT_EQ(reply->first_token.size(), 2u);
    EXPECT_EQ(reply->first_token[1].token, "No");
    EXPECT_EQ(reply->first_token[1].logprob, -3);
    EXPECT_EQ(reply->prompt_tokens, 7u);
    EXPECT_EQ(reply->completion_tokens, 2u);
}

TEST(ParseChatReply, NeedsNeitherUsageNorLogprobsNorModel) {
    std::string problem;
    const auto reply =
        parse_chat_reply(R"({"choices": [{"message": {"content": null}, "logprobs": null}], "usage": null})", problem);
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->content, "");
    EXPECT_TRUE(reply->first_token.empty());
    EXPECT_FALSE(reply->prompt_tokens);
}

TEST(ParseChatReply, SaysWhatIsWrongWithNonsense) {
    const std::pair<const char *, const char *> cases[] = {
        {"", "not a JSON object"},
        {"<html>", "not a JSON object"},
        {"[1]", "not a JSON object"},
        {R"({"choices": [{"message": {"content": "a"}})", "not a JSON object"}, // cut off
        {R"({"error": {"message": "overloaded"}})", "overloaded"},
        {R"({"choices": 3})", "no choices"},
        {R"({"choices": []})", "empty"},
        {R"({"choices": [3]})", "no message"},
        {R"({"choices": [{"text": "a"}]})", "no message"},
        {R"({"choices": [{"message": {"content": [1]}}]})", "no message"},
    };
    for (const auto & [body, words] : cases) {
        std::string problem;
        EXPECT_FALSE(parse_chat_reply(body, problem)) << body;
        EXPECT_THAT(problem, testing::HasSubstr(words)) << body;
    }
}

TEST(ServerMessage, IsFoundInTheUsualPlacesAndKeptShort) {
    EXPECT_EQ(server_message(R"({"error": {"message": "a\nb"}})"), "a b");
    EXPECT_EQ(server_message(R"({"error": "c"})"), "c");
    EXPECT_EQ(server_message(R"({"message": "d"})"), "d");
    EXPECT_EQ(server_message(R"({"detail": "e"})"), "e");
    EXPECT_EQ(server_message("plain text"), "");
    EXPECT_EQ(server_message(json({{"error", std::string(1000, 'x')}}).dump()).size(), 200u);
}

} // namespace
} // namespace valuelens
