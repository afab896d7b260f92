#include "judge/server_questions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "judge/fake_judge.h"

namespace valuelens {
namespace {

using testing::HasSubstr;

ServerQuestions questions(AnswerMode mode) {
    ServerQuestions result;
    result.prompt = {"test", "<{text}> {value}?", "Yes", "No", ""};
    result.mode = mode;
    return result;
}

TEST(ServerQuestions, AsksForTheFirstTokenOrForJson) {
    const Concept care = test::two_concepts().concepts[0];
    const ChatRequest first = questions(AnswerMode::logprobs).ask(care, "a {value} text");
    ASSERT_EQ(first.messages.size(), 1u);
    EXPECT_EQ(first.messages[0].content, "<a {value} text> Care?");
    EXPECT_EQ(first.max_tokens, 1);
    EXPECT_EQ(first.top_logprobs, 20);
    EXPECT_EQ(first.temperature, 0);

    const ChatRequest json = questions(AnswerMode::json).ask(care, "t");
    EXPECT_THAT(json.messages[0].content, HasSubstr("<t> Care?\n\n"));
    EXPECT_THAT(json.messages[0].content, HasSubstr(R"({"probability": P})"));
    EXPECT_EQ(json.top_logprobs, 0);
    EXPECT_EQ(json.max_tokens, 64);
    EXPECT_EQ(json.json_schema, "");
    EXPECT_TRUE(nlohmann::json::accept(questions(AnswerMode::json_schema).ask(care, "t").json_schema));
}

TEST(ServerQuestions, AskingAgainDrawsAnew) {
    const Concept care = test::two_concepts().concepts[0];
    const ServerQuestions asked = questions(AnswerMode::json);
    EXPECT_GT(asked.ask_again(care, "t", 1, 0).temperature, 0);
    EXPECT_NE(asked.ask_again(care, "t", 1, 0).seed, asked.ask_again(care, "t", 2, 0).seed);
}

TEST(ServerQuestions, DescribeNamesModelKindAndWording) {
    ServerQuestions asked = questions(AnswerMode::logprobs);
    const std::string before = asked.describe("m");
    EXPECT_THAT(before, HasSubstr("asked m on a server"));
    EXPECT_NE(questions(AnswerMode::json).describe("m"), before);
    asked.prompt.user += "!";
    EXPECT_NE(asked.describe("m"), before);
}

TEST(FirstTokenOdds, AddsUpTheSpellingsOfAWord) {
    const std::vector<TokenTextLogprob> tokens = {{"Yes", std::log(0.3)}, {" yes", std::log(0.1)}, {"Y", std::log(0.1)},
                                                  {"No", std::log(0.2)},  {"I", std::log(0.1)},    {"", std::log(0.1)}};
    EXPECT_NEAR(*first_token_odds(tokens, "Yes", "No"), std::log(0.5 / 0.2), 1e-12);
    EXPECT_NEAR(*first_token_odds(tokens, "No", "Yes"), std::log(0.2 / 0.5), 1e-12);
}

TEST(FirstTokenOdds, AWordThatIsNotAmongThemCountsAsTheLeast) {
    const std::vector<TokenTextLogprob> tokens = {
        {"Yes", std::log(0.9)}, {"I", std::log(0.05)}, {"The", std::log(0.01)}};
    EXPECT_NEAR(*first_token_odds(tokens, "Yes", "No"), std::log(0.9 / 0.01), 1e-12);
}

TEST(FirstTokenOdds, NeitherWordIsNoAnswer) {
    EXPECT_FALSE(first_token_odds({{"I", -0.1}, {"<think>", -1}}, "Yes", "No"));
    EXPECT_FALSE(first_token_odds({}, "Yes", "No"));
    // A beginning of both words tells nothing.
    EXPECT_FALSE(first_token_odds({{"N", -0.1}}, "Nein", "Nie"));
}

TEST(StatedProbability, IsReadStrictly) {
    EXPECT_EQ(stated_probability(R"({"probability": 80})"), 0.8);
    EXPECT_EQ(stated_probability(" {\"probability\": 0.0}\n"), 0.0);
    EXPECT_EQ(stated_probability("```json\n{\"probability\": 100}\n```"), 1.0);
    EXPECT_EQ(stated_probability("<think>{\"probability\": 3}</think>\n{\"probability\": 25}"), 0.25);
    for (const char * nonsense :
         {"", "80", "Yes", R"({"probability": "80"})", R"({"probability": 101})", R"({"probability": -1})",
          R"({"probability": null})", R"({"probability": true})", R"({"p": 80})",
          R"({"probability": 80, "reason": "x"})", R"([{"probability": 80}])", R"({"probability": 80)",
          R"(Sure: {"probability": 80})", "<think>{\"probability\": 80}", "``````", "```"}) {
        EXPECT_FALSE(stated_probability(nonsense)) << nonsense;
    }
}

} // namespace
} // namespace valuelens
