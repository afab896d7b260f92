// Asking a real model: what calibration does, and that how questions are batched does not matter.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>

#include "judge/fake_judge.h"
#include "judge/judges.h"
#include "support/expect_error.h"
#include "support/golden.h"

namespace valuelens {
namespace {

class Ask : public testing::Test {
protected:
    static void SetUpTestSuite() {
        ModelOptions options;
        options.path = test::cached_model("smollm2-135m", "bf16");
        options.threads = 1;
        ASSERT_FALSE(options.path.empty()) << "smollm2-135m-bf16 is not in the cache: valuelens models fetch "
                                              "smollm2-135m";
        model = Model::load(options);
    }
    static void TearDownTestSuite() { model.reset(); }

    static std::unique_ptr<Judge> make(AskPrompt prompt = shipped_ask_prompt(""), int ctx_size = 0) {
        return make_ask_judge(model, {.parallel = 8, .ctx_size = ctx_size}, test::two_concepts(), std::move(prompt));
    }

    static double log_odds(double probability) { return std::log(probability / (1 - probability)); }

    static std::shared_ptr<Model> model;
};

std::shared_ptr<Model> Ask::model;

TEST_F(Ask, NothingIsNeitherYesNorNo) {
    const std::vector<JudgeItem> items{{"r0", "", {0, 1}}};
    const auto answers = make()->judge(items, silent_progress(), {});
    // Other neighbours in the batch change the last bits of BF16 sums.
    EXPECT_NEAR(answers[0][0], 0.5, 0.02);
    EXPECT_NEAR(answers[0][1], 0.5, 0.02);
}

/// What the judge says of the tokens it read.
class Words : public ProgressSink {
public:
    void message(LogLevel, std::string_view text) override { said += text; }
    std::string said;
};

TEST_F(Ask, ATextIsReadOnceForAllValues) {
    std::string text;
    for (int i = 0; i < 30; ++i) {
        text += "She nursed her sick neighbour for weeks. ";
    }
    const auto length = static_cast<unsigned long>(model->tokenize(text, false, false).size());
    const std::vector<JudgeItem> items{{"r0", text + "Alone.", {0, 1}}, {"r1", text + "Unpaid.", {0, 1}}};
    Words words;
    make()->judge(items, words, {});
    unsigned long shared = 0;
    unsigned long all = 0;
    ASSERT_EQ(std::sscanf(words.said.c_str(), "judge: %lu of %lu tokens", &shared, &all), 2) << words.said;
    EXPECT_GT(all, 4 * length);
    EXPECT_GE(shared, 2 * length) << "each text once, for two values";
}

TEST_F(Ask, ManyValuesOfATextHaveTheAnswersOfOne) {
    const std::vector<JudgeItem> together{{"r0", "She nursed her sick neighbour for weeks.", {0, 1}},
                                          {"r1", "He wants to run the whole company.", {0, 1}}};
    const std::vector<JudgeItem> apart{{"r0", together[0].text, {0}},
                                       {"r1", together[1].text, {1}},
                                       {"r0", together[0].text, {1}},
                                       {"r1", together[1].text, {0}}};
    const auto both = make()->judge(together, silent_progress(), {});
    const auto single = make()->judge(apart, silent_progress(), {});
    EXPECT_NEAR(log_odds(both[0][0]), log_odds(single[0][0]), 0.1);
    EXPECT_NEAR(log_odds(both[1][1]), log_odds(single[1][0]), 0.1);
    EXPECT_NEAR(log_odds(both[0][1]), log_odds(single[2][0]), 0.1);
    EXPECT_NEAR(log_odds(both[1][0]), log_odds(single[3][0]), 0.1);
}

TEST_F(Ask, CalibrationTakesOffWhatTheModelSaysAboutNothing) {
    // Swapping the answers mirrors the log-odds; without calibration their sum would be no different, with a biased
    // one it would not vanish.
    AskPrompt swapped = shipped_ask_prompt("");
    std::swap(swapped.yes, swapped.no);
    const std::vector<JudgeItem> items{{"r0", "She nursed her sick neighbour for weeks.", {0, 1}}};
    const auto forward = make()->judge(items, silent_progress(), {});
    const auto backward = make(swapped)->judge(items, silent_progress(), {});
    EXPECT_NEAR(log_odds(forward[0][0]) + log_odds(backward[0][0]), 0, 0.1);
    EXPECT_NE(forward[0][0], forward[0][1]) << "the value is part of the question";
}

TEST_F(Ask, ATextTooLongForTheContextHasNoAnswerAndTheOthersDo) {
    std::string text;
    for (int i = 0; i < 400; ++i) {
        text += "word after word ";
    }
    const std::vector<JudgeItem> items{{"r0", text, {0, 1}}, {"r1", "A short one.", {0}}};
    const auto answers = make(shipped_ask_prompt(""), 256)->judge(items, silent_progress(), {});
    EXPECT_TRUE(std::isnan(answers[0][0]));
    EXPECT_TRUE(std::isnan(answers[0][1]));
    EXPECT_FALSE(std::isnan(answers[1][0]));
}

TEST_F(Ask, AnswersThatBeginAlikeAreRefused) {
    AskPrompt alike = shipped_ask_prompt("");
    alike.no = alike.yes;
    expect_error(ErrorKind::model, {"Yes", "same token"}, [&] { make(alike); });
}

} // namespace
} // namespace valuelens
