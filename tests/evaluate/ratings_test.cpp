#include "evaluate/ratings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "evaluate/fake_respondent.h"
#include "evaluate/option_scores.h"

namespace valuelens {
namespace {

using test::FakeRespondent;
using test::letter_of;
using test::sure_of;

const AnswerScale scale = {{"yes", "perhaps", "no"},
                           {{"f1", "{item}?\n{options}\none"}, {"f2", "{item}!\n{options}\ntwo"}}};

std::string ask_number(std::size_t item, const QuestionFrame & frame, const std::string & options) {
    return ask(frame, "item " + std::to_string(item), options);
}

Ratings rate_two(FakeRespondent & respondent, AnswerReading reading) {
    return rate(respondent, "test", 2, scale, ask_number, reading);
}

TEST(Ratings, EachItemIsAskedInEveryFrameAndBothOrders) {
    FakeRespondent respondent;
    respondent.on_score = [](const std::string &, std::size_t n, std::size_t) {
        return std::vector<double>(n, -2.0);
    };
    rate_two(respondent, AnswerReading::logprobs);
    ASSERT_EQ(respondent.prompts.size(), 8u);
    EXPECT_EQ(respondent.prompts[0], "item 0?\nA. yes\nB. perhaps\nC. no\none");
    EXPECT_EQ(respondent.prompts[1], "item 0?\nA. no\nB. perhaps\nC. yes\none");
    EXPECT_EQ(respondent.prompts[2], "item 0!\nA. yes\nB. perhaps\nC. no\ntwo");
    EXPECT_THAT(respondent.options, testing::ElementsAre("A", "B", "C"));
}

TEST(Ratings, FollowTheLabelNotTheLetter) {
    FakeRespondent respondent;
    respondent.on_score = [](const std::string & prompt, std::size_t n, std::size_t variant) {
        return sure_of(letter_of(prompt, variant == 0 ? "yes" : "no"), n);
    };
    const Ratings ratings = rate_two(respondent, AnswerReading::logprobs);
    EXPECT_NEAR(ratings.rating[0][0], 3, 1e-9);
    EXPECT_NEAR(ratings.rating[0][1], 1, 1e-9);
    EXPECT_NEAR(ratings.mass[1][0], 1, 1e-9);
}

TEST(Ratings, APreferenceForALetterCancelsOut) {
    FakeRespondent respondent;
    respondent.on_score = [](const std::string &, std::size_t, std::size_t) {
        return std::vector<double>{std::log(0.4), std::log(0.1), std::log(0.1)};
    };
    const Ratings ratings = rate_two(respondent, AnswerReading::logprobs);
    EXPECT_NEAR(ratings.rating[0][0], 2, 1e-12);
    EXPECT_NEAR(ratings.mass[0][0], 0.6, 1e-12);
}

TEST(Ratings, ExpectedScoreByHand) {
    FakeRespondent respondent;
    respondent.on_score = [](const std::string & prompt, std::size_t, std::size_t) {
        std::vector<double> logprobs(3);
        logprobs[letter_of(prompt, "yes")] = std::log(0.25);
        logprobs[letter_of(prompt, "perhaps")] = std::log(0.125);
        logprobs[letter_of(prompt, "no")] = std::log(0.125);
        return logprobs;
    };
    EXPECT_NEAR(rate_two(respondent, AnswerReading::logprobs).rating[1][1], 0.5 * 3 + 0.25 * 2 + 0.25 * 1, 1e-12);
}

TEST(Ratings, AnItemWithAPromptThatDoesNotFitIsDroppedAndCounted) {
    FakeRespondent respondent;
    respondent.on_score = [](const std::string & prompt, std::size_t n, std::size_t) {
        return prompt.starts_with("item 1!") ? std::vector<double>() : sure_of(0, n);
    };
    const Ratings ratings = rate_two(respondent, AnswerReading::logprobs);
    EXPECT_EQ(ratings.too_long, 1u);
    EXPECT_TRUE(std::isnan(ratings.rating[1][0]));
    EXPECT_FALSE(std::isnan(ratings.rating[0][0]));
}

TEST(Ratings, GreedyAnswersAreParsedAndTheRestCounted) {
    FakeRespondent respondent;
    respondent.on_answer = [](const std::string & prompt, std::size_t variant) -> std::optional<std::string> {
        if (variant == 1 && prompt.starts_with("item 0")) {
            return "I cannot say.";
        }
        return prompt.ends_with("two") ? "hm" : "It is perhaps so";
    };
    const Ratings ratings = rate_two(respondent, AnswerReading::greedy);
    EXPECT_EQ(ratings.rating[0][0], 2);
    EXPECT_TRUE(std::isnan(ratings.rating[0][1]));
    EXPECT_THAT(ratings.unparsable, testing::ElementsAre(4u, 6u));
    EXPECT_THAT(ratings.unrated, testing::ElementsAre(0u, 1u));
}

TEST(Ratings, AFrameCountsWhereBothOrdersWereAnswered) {
    FakeRespondent respondent;
    // Always what stands first: "yes" forward, "no" backward. Of item 1 the base model answers forward alone.
    respondent.on_answer = [](const std::string & prompt, std::size_t variant) -> std::optional<std::string> {
        const bool forward = letter_of(prompt, "yes") == 0;
        if (variant == 0 && prompt.starts_with("item 1") && !forward) {
            return "hm";
        }
        return forward ? "yes" : "no";
    };
    const Ratings ratings = rate_two(respondent, AnswerReading::greedy);
    EXPECT_EQ(ratings.rating[0][0], 2) << "the middle of 3 and 1: no opinion";
    EXPECT_TRUE(std::isnan(ratings.rating[1][0]));
    EXPECT_EQ(ratings.rating[1][1], 2);
    EXPECT_EQ(ratings.unrated[0], 1u);
}

TEST(Ratings, VariantsThatLostDifferentFramesAreComparedOnThoseThatBothHave) {
    FakeRespondent respondent;
    // Of item 0 the base loses the first frame. The variant is above it there and below it in the second.
    respondent.on_answer = [](const std::string & prompt, std::size_t variant) -> std::optional<std::string> {
        if (variant == 0) {
            return prompt.starts_with("item 0?") ? "hm" : "perhaps";
        }
        return prompt.ends_with("one") ? "yes" : "no";
    };
    const Ratings ratings = rate_two(respondent, AnswerReading::greedy);
    EXPECT_THAT(ratings.rating[0], testing::ElementsAre(2, 2)) << "means that compare different questions";
    ASSERT_EQ(ratings.shared[0].size(), 2u);
    EXPECT_EQ(ratings.shared[0][1].variant, 1);
    EXPECT_EQ(ratings.shared[0][1].base, 2);
    EXPECT_TRUE(ratings.shared[1].empty()) << "nothing is lost of item 1";
}

TEST(Ratings, WhereNothingIsLostTheyAreTheMeansInTheOrderOfTheQuestions) {
    FakeRespondent respondent;
    const auto logprobs = [](const std::string & prompt) {
        return std::vector<double>{-0.3, -1.1 - 0.01 * static_cast<double>(prompt.size()), -2.7};
    };
    respondent.on_score = [&](const std::string & prompt, std::size_t, std::size_t) {
        return logprobs(prompt);
    };
    const Ratings ratings = rate_two(respondent, AnswerReading::logprobs);
    double sum = 0;
    double mass = 0;
    for (std::size_t prompt = 0; prompt < 4; ++prompt) {
        const OptionScores scores = option_scores(logprobs(respondent.prompts[prompt]));
        const std::vector<double> points =
            prompt % 2 == 0 ? std::vector<double>{3, 2, 1} : std::vector<double>{1, 2, 3};
        sum += expected_score(scores.probabilities, points);
        mass += scores.mass;
    }
    EXPECT_EQ(ratings.rating[0][1], sum / 4) << "to the last bit";
    EXPECT_EQ(ratings.mass[0][1], mass / 4);
    EXPECT_TRUE(ratings.shared[0].empty());
}

TEST(Ratings, OptionsWithoutAnyProbabilityAreNoAnswer) {
    FakeRespondent respondent;
    respondent.on_score = [](const std::string & prompt, std::size_t n, std::size_t variant) {
        const bool overflowed = variant == 0 && prompt.starts_with("item 1");
        return overflowed ? std::vector<double>(n, -std::numeric_limits<double>::infinity()) : sure_of(0, n);
    };
    const Ratings ratings = rate_two(respondent, AnswerReading::logprobs);
    EXPECT_TRUE(std::isnan(ratings.rating[1][0]));
    EXPECT_FALSE(std::isnan(ratings.rating[1][1]));
    EXPECT_THAT(ratings.not_finite, testing::ElementsAre(1u, 0u));
    EXPECT_EQ(ratings.too_long, 0u);
}

TEST(Ratings, LogitsThatAreNoNumbersAreDroppedAndCounted) {
    FakeRespondent respondent;
    respondent.on_score = [](const std::string & prompt, std::size_t n, std::size_t variant) {
        std::vector<double> scores = sure_of(0, n);
        if (variant == 1 && prompt.starts_with("item 0")) {
            scores[1] = std::nan("");
        }
        return scores;
    };
    const Ratings ratings = rate_two(respondent, AnswerReading::logprobs);
    EXPECT_FALSE(std::isnan(ratings.rating[0][0]));
    EXPECT_TRUE(std::isnan(ratings.rating[0][1]));
    EXPECT_THAT(ratings.not_finite, testing::ElementsAre(0u, 1u));
}

} // namespace
} // namespace valuelens
