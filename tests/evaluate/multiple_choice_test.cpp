// Questions with four options, answered by a fake.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "base/file.h"
#include "evaluate/fake_respondent.h"
#include "evaluate/multiple_choice_prompt.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"

namespace valuelens {
namespace {

using test::FakeRespondent;
using test::sure_of;

std::string question_line(const std::string & id, const std::string & subject, const std::string & answer,
                          bool example = false) {
    return "{\"id\": \"" + id + "\", \"subject\": \"" + subject + "\", \"question\": \"What is " + id +
           "?\", \"options\": [\"w\", \"x\", \"y\", \"z\"], \"answer\": \"" + answer + "\"" +
           (example ? ", \"role\": \"example\"" : "") + "}\n";
}

class MultipleChoice : public testing::Test {
protected:
    MultipleChoice() {
        write_file(path_, question_line("q1", "home_life", "A") + question_line("e1", "home_life", "D", true) +
                              question_line("q2", "war", "B") + question_line("q3", "home_life", "C") +
                              question_line("q4", "war", "A"));
        // The base is right but for q4, the steered one says A to everything.
        respondent_.on_score = [](const std::string & prompt, std::size_t n, std::size_t variant) {
            const auto about = [&](const char * id) {
                return prompt.find(std::string("What is ") + id, prompt.rfind("What is")) != std::string::npos;
            };
            return sure_of(variant == 1 ? 0 : about("q1") ? 0 : about("q3") ? 2 : 1, n);
        };
    }

    TempFolder folder_;
    std::filesystem::path path_ = folder_ / "questions.jsonl";
    FakeRespondent respondent_;
};

TEST_F(MultipleChoice, AccuracyAndItsPairedDropInPoints) {
    const Evaluation result = multiple_choice_task({.input = path_})->run(respondent_, {.bootstraps = 500});
    EXPECT_THAT(respondent_.options, testing::ElementsAre("A", "B", "C", "D"));
    ASSERT_EQ(result.items.size(), 4u);
    const EvaluationRow & accuracy = *result.find("accuracy");
    EXPECT_EQ(accuracy.scores[0].estimate.value, 75);
    EXPECT_EQ(accuracy.scores[1].estimate.value, 50);
    EXPECT_EQ(paired_drop(accuracy).value, 25);
    EXPECT_LE(paired_drop(accuracy).low, 25);
    EXPECT_GE(paired_drop(accuracy).high, 25);
    EXPECT_EQ(result.find("accuracy", "home_life")->scores[0].estimate.value, 100);
    EXPECT_EQ(result.find("accuracy", "war")->scores[0].estimate.value, 50);
    EXPECT_EQ(result.find("accuracy", "war")->scores[0].n, 2u);
    EXPECT_NEAR(result.find("answer_probability")->scores[0].estimate.value, 75, 1e-6);
}

TEST_F(MultipleChoice, ExamplesStandBeforeTheQuestionWithTheirLetters) {
    multiple_choice_task({.input = path_, .shots = 1})->run(respondent_, {.bootstraps = 0});
    EXPECT_EQ(respondent_.prompts.front(),
              "Answer each multiple-choice question about home life with the letter of the right option and nothing "
              "else.\n\n"
              "What is e1?\nA. w\nB. x\nC. y\nD. z\nAnswer: D\n\n"
              "What is q1?\nA. w\nB. x\nC. y\nD. z\nAnswer:");
    EXPECT_THAT(respondent_.prompts.back(), testing::HasSubstr("Answer each multiple-choice question with"))
        << "the example is of another subject";
    expect_error(ErrorKind::usage, {"--shots 2", "questions.jsonl", "1 solved examples"},
                 [&] { multiple_choice_task({.input = path_, .shots = 2}); });
}

TEST_F(MultipleChoice, QuestionsThatDoNotFitAreDroppedAndCounted) {
    const auto usual = respondent_.on_score;
    respondent_.on_score = [&](const std::string & prompt, std::size_t n, std::size_t variant) {
        return prompt.find("What is q3") != std::string::npos ? std::vector<double>() : usual(prompt, n, variant);
    };
    const Evaluation result = multiple_choice_task({.input = path_})->run(respondent_, {.bootstraps = 0});
    ASSERT_EQ(result.dropped.size(), 1u);
    EXPECT_EQ(result.dropped[0].reason, "too_long");
    EXPECT_EQ(result.dropped[0].count, 1u);
    EXPECT_EQ(result.find("accuracy")->scores[0].n, 3u);
}

TEST_F(MultipleChoice, LogitsThatAreNoNumbersAreDroppedAndCountedForTheirVariant) {
    const auto usual = respondent_.on_score;
    respondent_.on_score = [&](const std::string & prompt, std::size_t n, std::size_t variant) {
        std::vector<double> scores = usual(prompt, n, variant);
        if (variant == 1 && prompt.find("What is q3") != std::string::npos) {
            scores.back() = std::nan("");
        }
        return scores;
    };
    const Evaluation result = multiple_choice_task({.input = path_})->run(respondent_, {.bootstraps = 0});
    ASSERT_EQ(result.dropped.size(), 1u);
    EXPECT_EQ(result.dropped[0].reason, "not_finite");
    EXPECT_EQ(result.dropped[0].variant, "steered");
    EXPECT_EQ(result.dropped[0].count, 1u);
    EXPECT_EQ(result.find("accuracy")->scores[0].n, 4u);
    EXPECT_EQ(result.find("accuracy")->scores[1].n, 3u);
    EXPECT_EQ(result.find("accuracy")->differences[1].n, 3u);
}

TEST_F(MultipleChoice, LimitTakesASampleOfTheShippedQuestions) {
    FakeRespondent respondent({"base"});
    respondent.on_score = [](const std::string &, std::size_t n, std::size_t) {
        return std::vector<double>(n, std::log(0.1));
    };
    const Evaluation result = multiple_choice_task({.shots = 5})->run(respondent, {.limit = 30, .bootstraps = 0});
    EXPECT_EQ(result.items.size(), 30u);
    EXPECT_NEAR(result.find("answer_probability")->scores[0].estimate.value, 25, 1e-9);
    EXPECT_NEAR(result.find("option_mass")->scores[0].estimate.value, 0.4, 1e-9);
    EXPECT_EQ(result.find("option_mass", result.items.front().groups.front()), nullptr);
}

TEST(ExamplesFor, AreTheSubjectsOwnWhereItHasEnoughOrElseOfAll) {
    const std::vector<MultipleChoiceQuestion> examples = {
        {"1", "a", "?", {}, 0, true}, {"2", "b", "?", {}, 0, true}, {"3", "b", "?", {}, 0, true}};
    const auto ids = [&](const std::string & subject, std::size_t shots) {
        std::string all;
        for (const MultipleChoiceQuestion & example : examples_for(subject, examples, shots)) {
            all += example.id;
        }
        return all;
    };
    EXPECT_EQ(ids("b", 1), "2");
    EXPECT_EQ(ids("b", 2), "23");
    EXPECT_EQ(ids("a", 2), "12");
    EXPECT_EQ(ids("c", 3), "123");
    EXPECT_EQ(ids("a", 0), "");
}

} // namespace
} // namespace valuelens
