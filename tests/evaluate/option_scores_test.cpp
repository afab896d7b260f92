#include "evaluate/option_scores.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace valuelens {
namespace {

using testing::ElementsAre;

TEST(OptionScores, AreTheSoftmaxOverTheOptionsAlone) {
    const std::vector<double> logprobs = {std::log(0.1), std::log(0.3), std::log(0.1)};
    const OptionScores scores = option_scores(logprobs);
    ASSERT_EQ(scores.probabilities.size(), 3u);
    EXPECT_NEAR(scores.probabilities[0], 0.2, 1e-12);
    EXPECT_NEAR(scores.probabilities[1], 0.6, 1e-12);
    EXPECT_NEAR(scores.mass, 0.5, 1e-12);
    EXPECT_EQ(scores.greedy, 1u);
    EXPECT_NEAR(expected_score(scores.probabilities, std::vector<double>{3, 2, 1}), 0.6 + 1.2 + 0.2, 1e-12);
}

TEST(OptionScores, StayExactWhereProbabilitiesAreTiny) {
    const OptionScores scores = option_scores(std::vector<double>{-1000, -1000 + std::log(3)});
    EXPECT_NEAR(scores.probabilities[0], 0.25, 1e-12);
    EXPECT_EQ(scores.mass, 0);
}

TEST(OptionScores, OptionsWithoutAnyProbabilityAreEqual) {
    const double never = -std::numeric_limits<double>::infinity();
    EXPECT_THAT(option_scores(std::vector<double>{never, never}).probabilities, ElementsAre(0.5, 0.5));
}

TEST(OptionScores, TheFirstOfEqualsIsGreedy) {
    EXPECT_EQ(option_scores(std::vector<double>{-2, -1, -1}).greedy, 1u);
}

TEST(OptionTokens, BothFormsOfALetterStandForIt) {
    const auto tokens = option_tokens({{{10}, {11}}, {{20}, {21}}}, 2);
    ASSERT_TRUE(tokens);
    EXPECT_THAT(*tokens, ElementsAre(ElementsAre(10, 20), ElementsAre(11, 21)));
}

TEST(OptionTokens, AFormThatIsTheSameTokenCountsOnce) {
    const auto tokens = option_tokens({{{10}, {11}}, {{10}, {11}}}, 2);
    ASSERT_TRUE(tokens);
    EXPECT_THAT(*tokens, ElementsAre(ElementsAre(10), ElementsAre(11)));
}

TEST(OptionTokens, AFormServesAllOptionsOrNone) {
    const auto tokens = option_tokens({{{10}, {11}}, {{20}, {7, 21}}}, 2);
    ASSERT_TRUE(tokens);
    EXPECT_THAT(*tokens, ElementsAre(ElementsAre(10), ElementsAre(11)));
}

TEST(OptionTokens, AreNoneWhereOptionsBeginAlikeOrTakeSeveralTokens) {
    EXPECT_FALSE(option_tokens({{{10}, {10}}, {{7, 20}, {7, 21}}}, 2));
    EXPECT_FALSE(option_tokens({{{7, 10}, {7, 11}}}, 2));
    // The second form of one option is the first form of the other.
    const auto crossed = option_tokens({{{10}, {11}}, {{11}, {10}}}, 2);
    ASSERT_TRUE(crossed);
    EXPECT_THAT(*crossed, ElementsAre(ElementsAre(10), ElementsAre(11)));
}

TEST(OptionScores, WhatIsNotFiniteIsSeen) {
    const double inf = std::numeric_limits<double>::infinity();
    EXPECT_TRUE(all_finite(std::vector<double>{-1, -700}));
    EXPECT_FALSE(all_finite(std::vector<double>{-1, std::nan("")}));
    EXPECT_FALSE(all_finite(std::vector<double>{-inf, -inf})) << "another token's logit is infinite";
    EXPECT_TRUE(std::isnan(log_sum(std::vector<double>{-inf, std::nan("")})));
    EXPECT_EQ(log_sum(std::vector<double>{-inf, -inf}), -inf);
}

} // namespace
} // namespace valuelens
