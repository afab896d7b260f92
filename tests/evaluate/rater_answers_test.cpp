#include "evaluate/rater_answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "evaluate/rater.h"

namespace valuelens {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;

const std::vector<std::string> letters = {"A", "B"};

TEST(AnswerProbabilities, OneThatBeginsAnotherLosesTheOthersShare) {
    // Tokens: 1 is "1", 2 is "0", 3 is " 1". "1" is written with probability 0.5, "10" with 0.3 of it.
    const std::vector<AnswerTokens> ways = {{0, {1}}, {1, {1, 2}}, {0, {3}}};
    const std::vector<double> logprobs = {std::log(0.5), std::log(0.3), std::log(0.05)};
    EXPECT_THAT(answer_probabilities(ways, logprobs, 2), ElementsAre(DoubleNear(0.25, 1e-12), DoubleNear(0.3, 1e-12)));
}

TEST(AnswerProbabilities, AreNeverNegativeAndStayNoNumbers) {
    const std::vector<AnswerTokens> ways = {{0, {1}}, {1, {1, 2}}};
    EXPECT_EQ(answer_probabilities(ways, std::vector<double>{-2.0, -1.9}, 2)[0], 0);
    EXPECT_TRUE(std::isnan(answer_probabilities(ways, std::vector<double>{NAN, -1.0}, 2)[0]));
}

double p(double probability) {
    return std::log(probability);
}

TEST(FirstTokenProbabilities, AddUpSpellings) {
    const auto found =
        first_token_probabilities({{"A", p(0.5)}, {" a", p(0.125)}, {"B", p(0.25)}, {"The", p(0.1)}}, letters, "A");
    ASSERT_TRUE(found);
    EXPECT_THAT(*found, ElementsAre(DoubleNear(0.625, 1e-12), DoubleNear(0.25, 1e-12)));
    const std::vector<std::string> words = {"Yes", "No"};
    EXPECT_THAT(*first_token_probabilities({{"Y", p(0.5)}, {"no", p(0.25)}}, words, ""),
                ElementsAre(DoubleNear(0.5, 1e-12), DoubleNear(0.25, 1e-12)));
    EXPECT_FALSE(first_token_probabilities({{"The", p(0.9)}, {" ", p(0.1)}}, letters, "The"));
    EXPECT_FALSE(first_token_probabilities({}, letters, ""));
}

TEST(FirstTokenProbabilities, ADigitThatMayBecomeTenCountsForWhatIsNearest) {
    const std::vector<TokenTextLogprob> split = {{"9", p(0.5)}, {"1", p(0.25)}};
    EXPECT_NEAR(first_token_probabilities(split, rating_answers(), "9")->at(10), 0.25, 1e-12);
    EXPECT_NEAR(first_token_probabilities(split, rating_answers(), "10")->at(10), 0.25, 1e-12);
    EXPECT_NEAR(first_token_probabilities(split, rating_answers(), "2")->at(1), 0.25, 1e-12);
    EXPECT_NEAR(first_token_probabilities(split, rating_answers(), "1")->at(1), 0.25, 1e-12);
    EXPECT_EQ(first_token_probabilities(split, rating_answers(), "word")->at(1), 0) << "it tells nothing";
    const std::vector<TokenTextLogprob> whole = {{"10", p(0.5)}, {"1", p(0.25)}};
    EXPECT_NEAR(first_token_probabilities(whole, rating_answers(), "10")->at(1), 0.25, 1e-12);
    EXPECT_NEAR(first_token_probabilities(whole, rating_answers(), "10")->at(10), 0.5, 1e-12);
}

TEST(StatedAnswer, IsReadStrictly) {
    EXPECT_EQ(stated_answer("{\"answer\": 7}", rating_answers()), 7u);
    EXPECT_EQ(stated_answer("{\"answer\": \"10\"}", rating_answers()), 10u);
    EXPECT_EQ(stated_answer("```json\n{\"answer\": \"b\"}\n```", letters), 1u);
    EXPECT_EQ(stated_answer("<think>hm</think> 3.", rating_answers()), 3u);
    EXPECT_EQ(stated_answer("A", letters), 0u);
    for (const char * bad : {"", "11", "7.5", "{\"answer\": 7.5}", "{\"answer\": 11}", "{\"answer\": 7, \"why\": 1}",
                             "{\"rating\": 7}", "7 of 10", "I would say 7", "[7]", "{\"answer\": null}"}) {
        EXPECT_EQ(stated_answer(bad, rating_answers()), std::nullopt) << bad;
    }
}

TEST(ExpectedRating, IsTheMeanUnderTheProbabilities) {
    Verdict verdict;
    verdict.probabilities.assign(11, 0.0);
    verdict.probabilities[10] = 0.25;
    verdict.probabilities[2] = 0.75;
    EXPECT_EQ(expected_rating(verdict), 4);
    EXPECT_TRUE(std::isnan(expected_rating({})));
}

} // namespace
} // namespace valuelens
