// A judge behind a server, played by a fake.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "evaluate/rater.h"
#include "judge/fake_service.h"
#include "support/expect_error.h"

namespace valuelens {
namespace {

using test::answered;
using test::failed;
using test::FakeService;
using testing::HasSubstr;

class ServerRaterTest : public testing::Test {
protected:
    std::unique_ptr<Rater> rater(FakeService::Answer answer, RaterAnswers answers = RaterAnswers::automatic) {
        asked.clear();
        return make_server_rater(std::make_unique<FakeService>(std::move(answer), &asked), {.answers = answers},
                                 silent_progress(), {});
    }

    std::vector<ChatRequest> asked;
};

TEST_F(ServerRaterTest, TakesProbabilitiesOfTheFirstToken) {
    const auto judge = rater([](const ChatRequest & request) {
        EXPECT_EQ(request.top_logprobs, 20);
        return answered("8", {{"8", std::log(0.6)}, {"10", std::log(0.2)}, {"x", std::log(0.1)}});
    });
    EXPECT_TRUE(judge->offers_probabilities());
    const std::vector<Verdict> verdicts = judge->ask("judge", std::vector<std::string>{"How good?"}, rating_answers());
    ASSERT_EQ(verdicts.size(), 1u);
    EXPECT_NEAR(verdicts[0].mass, 0.8, 1e-12);
    EXPECT_NEAR(expected_rating(verdicts[0]), 8 * 0.75 + 10 * 0.25, 1e-12);
    EXPECT_EQ(asked.size(), 2u) << "one to find out how it answers";
    Evaluation described;
    judge->describe(described, "judge");
    EXPECT_THAT(described.settings, testing::Contains(testing::Pair("judge_answers", "logprobs of a server")));
    EXPECT_THAT(described.settings, testing::Contains(testing::Pair("judge_server", "http://fake/v1")));
}

TEST_F(ServerRaterTest, WithoutProbabilitiesItIsAskedForJsonAndAskedAgain) {
    std::map<std::string, int> times;
    const auto judge = rater([&](const ChatRequest & request) {
        const std::string & user = request.messages[0].content;
        if (request.top_logprobs > 0) {
            return answered("Nine!");
        }
        EXPECT_THAT(request.json_schema, HasSubstr("\"enum\""));
        const int time = times[user]++;
        return user.starts_with("hard") && time < 2 ? answered("well...") : answered("{\"answer\": 9}");
    });
    EXPECT_FALSE(judge->offers_probabilities());
    const std::vector<Verdict> verdicts =
        judge->ask("judge", std::vector<std::string>{"hard", "easy"}, rating_answers());
    EXPECT_EQ(expected_rating(verdicts[0]), 9);
    EXPECT_EQ(expected_rating(verdicts[1]), 9);
    EXPECT_TRUE(std::isnan(verdicts[1].mass));
    EXPECT_THAT(asked.back().messages[0].content, HasSubstr("{\"answer\": X}"));
    EXPECT_GT(asked.back().temperature, 0) << "the third time it draws";
}

TEST_F(ServerRaterTest, IsCalledByItsPartInMessages) {
    struct Messages : ProgressSink {
        void message(LogLevel, std::string_view text) override { all += text; }
        std::string all;
    } messages;
    const auto classifier = make_server_rater(
        std::make_unique<FakeService>([](const ChatRequest &) { return answered("{\"answer\": 9}"); }, &asked),
        {.role = "classifier"}, messages, {});
    EXPECT_THAT(messages.all, testing::StartsWith("classifier: "));
    EXPECT_THAT(messages.all, HasSubstr("gives no probabilities"));
}

TEST_F(ServerRaterTest, WhatCannotBeReadOrIsRejectedIsNoVerdict) {
    const auto judge = rater(
        [](const ChatRequest & request) {
            const std::string & user = request.messages[0].content;
            return user.starts_with("long")  ? failed(ChatStatus::rejected, "HTTP 400")
                   : user.starts_with("odd") ? answered("B or A")
                                             : answered("{\"answer\": \"B\"}");
        },
        RaterAnswers::json);
    const std::vector<std::string> letters = {"A", "B"};
    const std::vector<Verdict> verdicts =
        judge->ask("judge", std::vector<std::string>{"long", "odd", "plain"}, letters);
    EXPECT_EQ(verdicts[0].problem, NoVerdict::rejected);
    EXPECT_EQ(verdicts[1].problem, NoVerdict::unparsable);
    EXPECT_FALSE(verdicts[1].given());
    EXPECT_EQ(verdicts[2].probabilities, (std::vector<double>{0, 1}));
}

TEST_F(ServerRaterTest, OneThatGivesNoAnswerAtAllIsRefused) {
    expect_error(ErrorKind::judge, {"cannot judge", "fake-model"},
                 [&] { rater([](const ChatRequest &) { return answered("?"); }, RaterAnswers::logprobs); });
    expect_error(ErrorKind::judge, {"too busy"},
                 [&] { rater([](const ChatRequest &) { return failed(ChatStatus::rejected, "too busy"); }); });
}

} // namespace
} // namespace valuelens
