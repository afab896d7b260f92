#include "explain/prompts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "explain/scores.h"

namespace valuelens {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

ReadableExcerpt excerpt() {
    return {{" the", " 1", "9", "\n", " caf", "\xc3", "\xa9"}, {0.1f, 4.0f, 2.0f, -1.0f, 0.0f, -3.9f, 0.39f}, 4.0f};
}

TEST(Prompts, ActivationsAreQuantisedTowardsThePole) {
    EXPECT_THAT(quantise(excerpt().activations, Pole::positive, 4.0f), ElementsAre(0, 10, 5, 0, 0, 0, 0));
    EXPECT_THAT(quantise(excerpt().activations, Pole::negative, 4.0f), ElementsAre(0, 0, 0, 2, 0, 9, 0));
    EXPECT_THAT(quantise(std::vector<float>{9.0f, 1.0f, 0.99f}, Pole::positive, 10.0f), ElementsAre(9, 1, 0));
    EXPECT_THAT(quantise(std::vector<float>{12.0f}, Pole::positive, 10.0f), ElementsAre(10));
}

TEST(Prompts, StrongTokensAreMarkedInRuns) {
    const ReadableExcerpt it = excerpt();
    EXPECT_THAT(strong_tokens(it, Pole::positive), ElementsAre(0, 1, 1, 0, 0, 0, 0));
    EXPECT_EQ(marked_text(it, strong_tokens(it, Pole::positive)), " the<< 19>>\\n caf\u00e9");
    EXPECT_EQ(plain_text(it), " the 19\\n caf\u00e9");
    ReadableExcerpt silent = excerpt();
    silent.peak = 0;
    EXPECT_THAT(strong_tokens(silent, Pole::positive), ElementsAre(0, 0, 0, 0, 0, 0, 0));
}

TEST(Prompts, TheQuestionShowsTextMarksAndStrengths) {
    const std::vector<ReadableExcerpt> examples = {excerpt()};
    const std::string question = explain_question(explain_prompts(), examples, Pole::positive, 4.0f);
    EXPECT_THAT(question, HasSubstr("Excerpt 1:  the<< 19>>"));
    EXPECT_THAT(question, HasSubstr("Reaction: \" 1\" 10, \"9\" 5\n"));
    EXPECT_THAT(question, testing::Not(HasSubstr("{")));
}

// What stands in a text is no slot.
TEST(Prompts, TextsWithBracesStayAsTheyAre) {
    const std::string filled = fill_question(explain_prompts().detection, "braces {text}", "int f() {explanation}");
    EXPECT_THAT(filled, HasSubstr("Description: braces {text}"));
    EXPECT_THAT(filled, HasSubstr("Text: int f() {explanation}"));
}

TEST(FuzzingQuestions, WrongMarksAreAsManyAndOnTheWeakestTokens) {
    HeldOut held;
    ReadableExcerpt text;
    for (int i = 0; i < 12; ++i) {
        text.pieces.push_back(std::string(1, static_cast<char>('a' + i)));
        text.activations.push_back(i < 2 ? 5.0f : static_cast<float>(i) / 10);
    }
    text.peak = 5;
    ReadableExcerpt all_strong = text;
    all_strong.activations.assign(12, 5.0f);
    held.top = {text, all_strong};
    held.seed = 1;
    const std::vector<ScoreQuestion> questions = fuzzing_questions(held, Pole::positive);
    ASSERT_EQ(questions.size(), 2u) << "an excerpt that is strong all over has no place for wrong marks";
    EXPECT_TRUE(questions[0].positive);
    EXPECT_EQ(questions[0].text, "<<ab>>cdefghijkl");
    EXPECT_FALSE(questions[1].positive);
    EXPECT_EQ(questions[0].group, questions[1].group);
    const std::string wrong = questions[1].text;
    EXPECT_EQ(wrong.find("<<a"), std::string::npos);
    std::size_t marked = 0; // among c, d, e: the quarter that is least active
    for (const char c : {'c', 'd', 'e'}) {
        const std::size_t at = wrong.find(c);
        const std::size_t open = wrong.rfind("<<", at);
        const std::size_t close = wrong.rfind(">>", at);
        marked += open != std::string::npos && (close == std::string::npos || close < open) ? 1 : 0;
    }
    EXPECT_EQ(marked, 2u);
}

/// How often each of the letters a to l is marked in the wrong questions of 200 seeds.
std::vector<int> wrong_marks(const ReadableExcerpt & text, Pole pole) {
    std::vector<int> times(text.pieces.size(), 0);
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        HeldOut held;
        held.top = {text};
        held.seed = seed;
        const std::vector<ScoreQuestion> questions = fuzzing_questions(held, pole);
        if (questions.size() != 2) {
            ADD_FAILURE() << questions.size() << " questions";
            return times;
        }
        bool is_marked = false;
        for (const char c : questions[1].text) {
            is_marked = c == '<' || (c != '>' && is_marked);
            if (is_marked && c >= 'a') {
                ++times[static_cast<std::size_t>(c - 'a')];
            }
        }
    }
    return times;
}

// Two marks among ten tokens that do nothing for the pole: each gets about 40 of 400, whatever it does for the other.
TEST(FuzzingQuestions, WrongMarksDoNotSeekTheOppositePole) {
    for (const Pole pole : {Pole::positive, Pole::negative}) {
        const float sign = pole == Pole::positive ? 1.0f : -1.0f;
        ReadableExcerpt text;
        for (int i = 0; i < 12; ++i) {
            text.pieces.push_back(std::string(1, static_cast<char>('a' + i)));
            text.activations.push_back(sign * (i < 2 ? 5.0f : i >= 10 ? -9.0f : 0.0f));
        }
        text.peak = 5;
        const std::vector<int> times = wrong_marks(text, pole);
        for (std::size_t t = 0; t < times.size(); ++t) {
            if (t < 2) {
                EXPECT_EQ(times[t], 0);
            } else {
                EXPECT_NEAR(times[t], 40, 25) << t;
            }
        }
    }
}

TEST(FuzzingQuestions, ATokenWhoseActivationWasNotReadIsNotMarked) {
    ReadableExcerpt text;
    for (int i = 0; i < 12; ++i) {
        text.pieces.push_back(std::string(1, static_cast<char>('a' + i)));
        text.activations.push_back(i == 0 ? 0.0f : i < 3 ? 5.0f : 1.0f);
    }
    text.peak = 5;
    EXPECT_GT(wrong_marks(text, Pole::positive)[0], 100) << "the weakest, were it known";
    text.first_seen = 1;
    EXPECT_EQ(wrong_marks(text, Pole::positive)[0], 0);
}

} // namespace
} // namespace valuelens
