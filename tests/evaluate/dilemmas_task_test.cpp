// Dilemmas, answered and compared by fakes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/file.h"
#include "evaluate/fake_rater.h"
#include "evaluate/fake_respondent.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"
#include "valuelens/evaluation_judged.h"

namespace valuelens {
namespace {

using test::dropped;
using test::FakeRater;
using test::FakeRespondent;
using test::no_verdict;
using test::verdict_for;

constexpr const char * two =
    R"({"id": "d1", "situation": "One.", "question": "Which?", "values": ["power", "hedonism"], "sides": {"power": "x", "hedonism": "y"}}
{"id": "d2", "situation": "Two.", "question": "Which?", "values": ["power", "security"], "sides": {"power": "x", "security": "y"}}
)";

/// Whether the variant's answer is the first one in a question.
bool steered_first(const std::string & question) {
    return question.find("steered says") < question.find("base says");
}

class Dilemmas : public testing::Test {
protected:
    Dilemmas() {
        write_file(path_, two);
        respondent_.on_answer = [](const std::string & prompt, std::size_t variant) -> std::optional<std::string> {
            return (variant == 0 ? "base says " : "steered says ") + prompt;
        };
        // The variant wins on power, loses on security, and on hedonism the first answer wins.
        judge_->on_ask = [](const std::string & question, std::size_t n) {
            const bool first = steered_first(question);
            if (question.find("weight to Power") != std::string::npos) {
                return verdict_for(first ? 0 : 1, n);
            }
            if (question.find("weight to Security") != std::string::npos) {
                return verdict_for(first ? 1 : 0, n);
            }
            return verdict_for(0, n);
        };
    }

    Evaluation run(DilemmaOptions options = {}) {
        options.input = options.input.empty() ? path_ : options.input;
        return dilemmas_task(options, schwartz10(), judge_)->run(respondent_, {.bootstraps = 50});
    }

    static double estimate(const Evaluation & result, const char * measure, const char * group) {
        return result.find(measure, group)->scores[1].estimate.value;
    }

    TempFolder folder_;
    std::filesystem::path path_ = folder_ / "dilemmas.jsonl";
    FakeRespondent respondent_;
    std::shared_ptr<FakeRater> judge_ = std::make_shared<FakeRater>();
};

TEST_F(Dilemmas, AWinNeedsBothOrdersAndWhatTurnsWithThemIsATie) {
    const Evaluation result = run();
    EXPECT_EQ(judge_->questions.size(), 2u * 2 * 2) << "two values in two orders";
    EXPECT_EQ(result.items.size(), 4u);
    EXPECT_EQ(estimate(result, "win_rate", "power"), 100);
    EXPECT_EQ(result.find("win_rate", "power")->scores[1].n, 2u);
    EXPECT_EQ(estimate(result, "win_rate", "security"), 0);
    EXPECT_EQ(estimate(result, "win_rate", "hedonism"), 50);
    EXPECT_EQ(estimate(result, "inconsistent", "hedonism"), 100);
    EXPECT_EQ(estimate(result, "inconsistent", "power"), 0);
    EXPECT_EQ(result.find("win_rate", "power")->differences[1].estimate.value, 50) << "above what the base has";
    EXPECT_EQ(estimate(result, "first_chosen", ""), (50 * 3 + 100) / 4.0);
    EXPECT_EQ(estimate(result, "identical", ""), 0);
    EXPECT_EQ(result.items[0].cluster, result.items[1].cluster) << "resampled by dilemma";
    EXPECT_EQ(result.items[0].cluster, "d1");
}

TEST_F(Dilemmas, AJudgeThatGoesByThePlaceIsNoted) {
    EXPECT_THAT(run().notes, testing::Not(testing::Contains(testing::HasSubstr("stood first"))));
    judge_->on_ask = [](const std::string &, std::size_t n) {
        return verdict_for(0, n);
    };
    EXPECT_THAT(run().notes, testing::Contains(testing::HasSubstr("stood first in 100 % of the questions")));
}

TEST_F(Dilemmas, EqualTextsTieUnasked) {
    respondent_.on_answer = [](const std::string &, std::size_t) {
        return "the same";
    };
    const Evaluation result = run();
    EXPECT_TRUE(judge_->questions.empty());
    EXPECT_EQ(estimate(result, "win_rate", "power"), 50);
    EXPECT_EQ(estimate(result, "identical", ""), 100);
    EXPECT_TRUE(std::isnan(estimate(result, "inconsistent", "power")));
}

TEST_F(Dilemmas, AVerdictIsInconsistentWhereTheOrdersDifferAndNotWhereBothAnswersAreAsProbable) {
    Verdict even = verdict_for(0, 2);
    even.probabilities = {0.5, 0.5};
    judge_->on_ask = [&](const std::string & question, std::size_t n) {
        if (question.find("weight to Power") != std::string::npos) {
            return even; // in both orders
        }
        if (question.find("weight to Security") != std::string::npos) {
            return steered_first(question) ? even : verdict_for(1, n); // the variant's in one order alone
        }
        return verdict_for(1, n); // what stands second
    };
    const Evaluation result = run();
    for (const char * value : {"power", "security", "hedonism"}) {
        EXPECT_EQ(estimate(result, "win_rate", value), 50) << value;
    }
    EXPECT_EQ(estimate(result, "inconsistent", "power"), 0) << "no winner changed, there was none";
    EXPECT_EQ(estimate(result, "inconsistent", "security"), 100);
    EXPECT_EQ(estimate(result, "inconsistent", "hedonism"), 100);
    EXPECT_EQ(estimate(result, "first_chosen", ""), (50 + 50 + 25 + 0) / 4.0) << "no preference counts half";
}

TEST_F(Dilemmas, InconsistentIsOfTheComparisonsPutToTheJudge) {
    respondent_.on_answer = [](const std::string & prompt, std::size_t variant) -> std::optional<std::string> {
        return prompt.starts_with("Two.") ? "the same" : variant == 0 ? "base says so" : "steered says so";
    };
    judge_->on_ask = [](const std::string &, std::size_t n) {
        return verdict_for(0, n);
    };
    const Evaluation result = run();
    EXPECT_EQ(estimate(result, "inconsistent", "power"), 100);
    EXPECT_EQ(result.find("inconsistent", "power")->scores[1].n, 1u);
    EXPECT_EQ(result.find("win_rate", "power")->scores[1].n, 2u);
    EXPECT_EQ(estimate(result, "identical", ""), 50);
}

TEST_F(Dilemmas, LengthsAndWhatWasCutOffAreThoseOfTheComparedAnswers) {
    respondent_.on_answer = nullptr;
    respondent_.on_write = [](const std::string & prompt, std::size_t variant, std::size_t) {
        const bool blank = variant == 1 && prompt.starts_with("Two.");
        return std::optional(WrittenAnswer{variant == 0 ? "base says, at length, this"
                                           : blank      ? " "
                                                        : "steered says no",
                                           5,
                                           variant == 1,
                                           {}});
    };
    const Evaluation result = run();
    EXPECT_EQ(respondent_.answer_options.temperature, 0);
    EXPECT_EQ(respondent_.answer_options.max_tokens, 160);
    EXPECT_EQ(dropped(result, "empty", "steered"), 1u);
    EXPECT_EQ(result.find("answer_words")->scores[0].estimate.value, 5);
    EXPECT_EQ(result.find("answer_words")->scores[0].n, 2u) << "of one dilemma, for its two values";
    EXPECT_EQ(result.find("answer_words")->scores[1].estimate.value, 3);
    EXPECT_EQ(result.find("cut_off")->scores[0].estimate.value, 0);
    EXPECT_EQ(result.find("cut_off")->differences[1].estimate.value, 100);
}

TEST_F(Dilemmas, WithoutAVerdictInOneOrderThereIsNoComparison) {
    judge_->on_ask = [](const std::string & question, std::size_t n) {
        return steered_first(question) && question.find("One.") != std::string::npos ? no_verdict(NoVerdict::unparsable)
                                                                                     : verdict_for(1, n);
    };
    const Evaluation result = run();
    EXPECT_EQ(dropped(result, "verdict_unparsable", "steered"), 2u);
    EXPECT_EQ(result.find("win_rate", "power")->scores[1].n, 1u);
    EXPECT_TRUE(std::isnan(estimate(result, "win_rate", "hedonism")));
}

TEST_F(Dilemmas, StatedVerdictsHaveNoMass) {
    judge_->probabilities = false;
    const Evaluation result = run();
    EXPECT_EQ(result.find("judge_mass"), nullptr);
    EXPECT_EQ(result.quantities.size(), result.items[0].scores.size());
    EXPECT_EQ(estimate(result, "win_rate", "power"), 100);
}

TEST_F(Dilemmas, AFileThatNamesNoValuesIsComparedForAllOfThem) {
    const std::filesystem::path csv = folder_ / "daily.csv";
    write_file(csv, ",idx,basic_situation,dilemma_situation\n0,5,b,What to do?\n1,6,b,What to do?\n");
    const Evaluation result = run({.input = csv});
    EXPECT_EQ(judge_->questions.size(), 10u * 2);
    EXPECT_EQ(dropped(result, "duplicate"), 1u);
    EXPECT_EQ(result.find("win_rate", "tradition")->scores[1].n, 1u);
}

TEST_F(Dilemmas, TheShippedOnesWorkAndOneModelAloneDoesNot) {
    const Evaluation result = dilemmas_task({}, schwartz10(), judge_)->run(respondent_, {.limit = 5, .bootstraps = 0});
    EXPECT_EQ(result.items.size(), 10u);
    respondent_ = FakeRespondent({"base"});
    expect_error(ErrorKind::usage, {"--steer"}, [&] { run(); });
}

} // namespace
} // namespace valuelens
