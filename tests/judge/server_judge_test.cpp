#include "judge/server_judge.h"

#include <gtest/gtest.h>

#include <cmath>

#include "judge/fake_judge.h"
#include "judge/fake_service.h"
#include "judge/log_odds.h"
#include "support/expect_error.h"

namespace valuelens {
namespace {

using test::answered;
using test::failed;
using test::FakeService;

class Messages : public ProgressSink {
public:
    void message(LogLevel, std::string_view text) override { all += std::string(text) + "\n"; }
    void advance(std::uint64_t done, std::string_view) override { last_done = done; }
    std::string all;
    std::uint64_t last_done = 0;
};

bool about(const ChatRequest & request, const std::string & words) {
    return request.messages.back().content.find(words) != std::string::npos;
}

ChatOutcome first_token(double yes, double no) {
    return answered("Yes", {{"Yes", std::log(yes)}, {"No", std::log(no)}});
}

class ServerJudgeTest : public testing::Test {
protected:
    std::unique_ptr<Judge> judge(FakeService::Answer answer, ServerAnswers answers = ServerAnswers::automatic) {
        ServerJudgeOptions options;
        options.prompt = {"test", "<{text}> {value}?", "Yes", "No", ""};
        options.answers = answers;
        options.prices = {1, 10};
        return make_server_judge(std::make_unique<FakeService>(std::move(answer), &asked), test::two_concepts(),
                                 options, messages);
    }
    std::vector<std::vector<double>> ask(Judge & judge, const std::vector<std::string> & texts) {
        std::vector<JudgeItem> items;
        for (const std::string & text : texts) {
            items.push_back({text, text, {0, 1}});
        }
        return judge.judge(items, messages, {});
    }

    std::vector<ChatRequest> asked;
    Messages messages;
};

TEST_F(ServerJudgeTest, FirstTokensAreCalibratedAgainstTheEmptyText) {
    const auto answer = [](const ChatRequest & request) {
        if (about(request, "<>")) {
            return about(request, "Care?") ? first_token(0.6, 0.2) : first_token(0.1, 0.4);
        }
        return first_token(0.3, 0.3);
    };
    const std::unique_ptr<Judge> it = judge(answer);
    const auto odds = ask(*it, {"a", "b"});
    EXPECT_NEAR(odds[0][0], probability_of(-std::log(3)), 1e-9);
    EXPECT_NEAR(odds[1][1], probability_of(std::log(4)), 1e-9);
    EXPECT_EQ(asked.size(), 1u + 2 + 4); // to find out, about nothing, about the texts
    EXPECT_EQ(messages.last_done, 2u);
    ask(*it, {"c"});
    EXPECT_EQ(asked.size(), 9u); // the empty text is not asked about again
    EXPECT_EQ(messages.all, "");
}

TEST_F(ServerJudgeTest, WithoutFirstTokensAJsonAnswerIsAskedFor) {
    const auto answer = [](const ChatRequest & request) {
        return request.top_logprobs > 0 ? answered("Yes") : answered(R"({"probability": 70})");
    };
    const std::unique_ptr<Judge> it = judge(answer);
    EXPECT_NEAR(ask(*it, {"a"})[0][1], 0.7, 1e-9);
    EXPECT_THAT(messages.all, testing::HasSubstr("asked for JSON"));
    EXPECT_FALSE(asked.back().json_schema.empty());
    EXPECT_THAT(it->describe(), testing::HasSubstr("JSON"));
}

TEST_F(ServerJudgeTest, AServerThatTakesNoSchemaIsAskedInWords) {
    const auto answer = [](const ChatRequest & request) {
        if (request.top_logprobs > 0 || !request.json_schema.empty()) {
            return failed(ChatStatus::rejected, "HTTP 400: unknown field");
        }
        return answered(R"({"probability": 10})");
    };
    const std::unique_ptr<Judge> it = judge(answer);
    EXPECT_NEAR(ask(*it, {"a"})[0][0], 0.1, 1e-9);
    EXPECT_TRUE(asked.back().json_schema.empty());
}

TEST_F(ServerJudgeTest, NonsenseIsAskedForAgainThenNoOpinion) {
    int tries_for_care = 0;
    const auto answer = [&](const ChatRequest & request) {
        if (about(request, "<a> Power")) {
            return answered("I would rather not say.");
        }
        if (about(request, "<a> Care")) {
            return answered(++tries_for_care == 3 ? R"({"probability": 20})" : "{");
        }
        return answered(R"({"probability": 60})");
    };
    const std::unique_ptr<Judge> it = judge(answer, ServerAnswers::json);
    const auto odds = ask(*it, {"a", "b"});
    EXPECT_NEAR(odds[0][0], 0.2, 1e-9);
    EXPECT_TRUE(std::isnan(odds[0][1]));
    EXPECT_NEAR(odds[1][0], 0.6, 1e-9);
    EXPECT_EQ(asked.size(), 1u + 4 + 2 + 2);
    EXPECT_EQ(messages.last_done, 2u);
    EXPECT_THAT(messages.all, testing::HasSubstr("no opinion from 1 answers that could not be read"));
}

TEST_F(ServerJudgeTest, ARejectedTextIsNoOpinionAndCounted) {
    const auto answer = [](const ChatRequest & request) {
        return about(request, "<a>") ? failed(ChatStatus::rejected, "HTTP 400: too long") : first_token(0.5, 0.5);
    };
    const std::unique_ptr<Judge> it = judge(answer);
    const auto odds = ask(*it, {"a", "b"});
    EXPECT_TRUE(std::isnan(odds[0][0]));
    EXPECT_TRUE(std::isnan(odds[0][1]));
    EXPECT_NEAR(odds[1][0], 0.5, 1e-9);
    EXPECT_THAT(messages.all, testing::HasSubstr("no opinion on 2 questions"));
    EXPECT_THAT(messages.all, testing::HasSubstr("too long"));
}

TEST_F(ServerJudgeTest, AModelThatGivesNothingToReadCannotJudge) {
    const auto mute = [](const ChatRequest &) {
        return failed(ChatStatus::rejected, "HTTP 400: no");
    };
    expect_error(ErrorKind::judge, {"fake-model", "cannot judge", "HTTP 400: no"}, [&] { judge(mute); });
    expect_error(ErrorKind::judge, {"'Yes' or 'No'"},
                 [&] { judge([](const ChatRequest &) { return answered("Maybe"); }, ServerAnswers::logprobs); });
    // The first value is answered for the empty text, the second is not.
    const auto half = [](const ChatRequest & request) {
        return about(request, "Care?") ? first_token(0.5, 0.5) : answered("Hm", {{"Hm", -0.1}});
    };
    const std::unique_ptr<Judge> it = judge(half);
    expect_error(ErrorKind::judge, {"power", "cannot be calibrated"}, [&] { ask(*it, {"a"}); });
}

TEST_F(ServerJudgeTest, EstimatesRequestsTokensAndMoney) {
    const std::unique_ptr<Judge> it = judge([](const ChatRequest &) { return first_token(0.5, 0.5); });
    // 50 tokens are what the server said the question about an empty text takes; two such are still to be asked.
    EXPECT_EQ(
        it->estimate({1000, 400000}),
        "fake-model is asked: 1,002 requests, about 150,100 prompt tokens, at most 1,002 answer tokens, about 0.16 "
        "in money at most (1 and 10 per million)");
}

} // namespace
} // namespace valuelens
