// check_judge(): a judge against human labels.

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "judge/fake_judge.h"
#include "support/expect_error.h"

namespace valuelens {
namespace {

using test::FakeJudge;
using test::two_concepts;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// Texts "0", "1", ... with the labels of both concepts.
std::vector<LabelledText> labelled(const std::vector<std::vector<signed char>> & labels) {
    std::vector<LabelledText> texts;
    for (std::size_t i = 0; i < labels.size(); ++i) {
        texts.push_back({std::to_string(i), std::to_string(i), "", labels[i]});
    }
    return texts;
}

/// Only "care" is labelled, half of the texts express it.
std::vector<LabelledText> alternating(std::size_t n) {
    std::vector<std::vector<signed char>> labels;
    for (std::size_t i = 0; i < n; ++i) {
        labels.push_back({static_cast<signed char>(i % 2), -1});
    }
    return labelled(labels);
}

bool truth(const JudgeItem & item) {
    return std::stoi(item.id) % 2 == 1;
}

JudgeCheck check(Judge & judge, const std::vector<LabelledText> & texts, const JudgeCheckOptions & options = {}) {
    return check_judge(judge, two_concepts(), texts, "made-up labels", options, silent_progress());
}

TEST(CheckJudge, APerfectJudgeIsPerfect) {
    FakeJudge judge([](const JudgeItem & item, std::size_t) { return truth(item) ? 0.9 : 0.1; });
    const JudgeCheck result = check(judge, alternating(40));
    EXPECT_EQ(result.judge, "fake");
    EXPECT_EQ(result.data, "made-up labels");
    EXPECT_EQ(result.n_texts, 40u);
    ASSERT_EQ(result.values.size(), 2u);
    const JudgeQuality & care = result.values[0];
    EXPECT_EQ(care.value, "care");
    EXPECT_EQ(care.n_positive, 20u);
    EXPECT_EQ(care.n_negative, 20u);
    EXPECT_EQ(care.n_undecided, 0u);
    for (const double x : {care.auroc, care.auroc_low, care.auroc_high, care.precision, care.precision_low, care.recall,
                           care.recall_high, care.f1, care.f1_low, result.mean_auroc}) {
        EXPECT_EQ(x, 1.0);
    }
}

TEST(CheckJudge, OneThatIsAlwaysWrongHasAnAreaOfZero) {
    FakeJudge judge([](const JudgeItem & item, std::size_t) { return truth(item) ? 0.1 : 0.9; });
    const JudgeQuality care = check(judge, alternating(40)).values[0];
    EXPECT_EQ(care.auroc, 0.0);
    EXPECT_EQ(care.precision, 0.0);
    EXPECT_EQ(care.recall, 0.0);
}

TEST(CheckJudge, AConstantJudgeIsAtChanceAndDecidesNothing) {
    FakeJudge judge([](const JudgeItem &, std::size_t) { return 0.5; });
    const JudgeQuality care = check(judge, alternating(40)).values[0];
    EXPECT_EQ(care.auroc, 0.5);
    EXPECT_EQ(care.auroc_low, 0.5);
    EXPECT_EQ(care.auroc_high, 0.5);
    EXPECT_EQ(care.n_undecided, 40u);
    EXPECT_TRUE(std::isnan(care.precision));
    EXPECT_TRUE(std::isnan(care.recall));
    EXPECT_TRUE(std::isnan(care.f1_high));
}

TEST(CheckJudge, ARandomJudgeIsAtChanceWithinItsInterval) {
    FakeJudge judge([](const JudgeItem & item, std::size_t) { return Rng(derive_seed(11, item.id)).uniform(); });
    const JudgeQuality care = check(judge, alternating(400)).values[0];
    EXPECT_NEAR(care.auroc, 0.5, 0.1);
    EXPECT_LT(care.auroc_low, 0.5);
    EXPECT_GT(care.auroc_high, 0.5);
    EXPECT_LT(care.auroc_high - care.auroc_low, 0.2);
}

TEST(CheckJudge, IntervalsHoldTheEstimateAndComeFromTheSeed) {
    const auto noisy = [](const JudgeItem & item, std::size_t) {
        return 0.7 * Rng(derive_seed(3, item.id)).uniform() + (truth(item) ? 0.3 : 0.0);
    };
    FakeJudge judge(noisy);
    const JudgeCheck result = check(judge, alternating(120));
    const JudgeQuality & care = result.values[0];
    const auto inside = [](double low, double value, double high) {
        return low < value && value < high;
    };
    EXPECT_TRUE(inside(care.auroc_low, care.auroc, care.auroc_high));
    EXPECT_TRUE(inside(care.precision_low, care.precision, care.precision_high));
    EXPECT_TRUE(inside(care.recall_low, care.recall, care.recall_high));
    EXPECT_TRUE(inside(care.f1_low, care.f1, care.f1_high));
    EXPECT_EQ(result.mean_auroc, care.auroc) << "power has no labels";
    EXPECT_EQ(result.mean_auroc_low, care.auroc_low);
    const JudgeQuality again = check(judge, alternating(120)).values[0];
    EXPECT_EQ(again.auroc_low, care.auroc_low);
    const JudgeQuality other = check(judge, alternating(120), {.seed = 1}).values[0];
    EXPECT_EQ(other.auroc, care.auroc);
    EXPECT_NE(other.auroc_low, care.auroc_low);
}

TEST(CheckJudge, TheUndecidedBandIsClosedBelowAndOpenAbove) {
    const std::vector<double> answers = {0.39, 0.4, 0.5, 0.5999, 0.6, 0.7};
    FakeJudge judge([&](const JudgeItem & item, std::size_t) { return answers[std::stoul(item.id)]; });
    const JudgeQuality care = check(judge, alternating(answers.size())).values[0];
    EXPECT_EQ(care.n_undecided, 3u);
    // Decided: 0 (does not, rightly), 4 (does, wrongly), 5 (does, rightly).
    EXPECT_EQ(care.precision, 0.5);
    EXPECT_EQ(care.recall, 1.0);
    EXPECT_NEAR(care.f1, 2.0 / 3, 1e-15);
    // Of the nine pairs of 1, 3, 5 against 0, 2, 4: six are in order; the band plays no part in it.
    EXPECT_NEAR(care.auroc, 6.0 / 9, 1e-15);
    const JudgeQuality wide =
        check(judge, alternating(answers.size()), {.undecided_low = 0, .undecided_high = 1}).values[0];
    EXPECT_EQ(wide.n_undecided, 6u);
    const JudgeQuality none =
        check(judge, alternating(answers.size()), {.undecided_low = 0.5, .undecided_high = 0.5}).values[0];
    EXPECT_EQ(none.n_undecided, 0u);
}

TEST(CheckJudge, OnlyWhatPeopleLabelledIsAskedAndCounted) {
    FakeJudge judge([](const JudgeItem & item, std::size_t value) { return value == 1 && item.id == "2" ? nan : 0.8; });
    const JudgeCheck result = check(judge, labelled({{1, -1}, {-1, 0}, {0, 1}, {-1, -1}}));
    ASSERT_EQ(judge.asked.size(), 4u);
    EXPECT_EQ(judge.asked[0].values, (std::vector<std::size_t>{0}));
    EXPECT_EQ(judge.asked[1].values, (std::vector<std::size_t>{1}));
    EXPECT_EQ(judge.asked[2].values, (std::vector<std::size_t>{0, 1}));
    EXPECT_TRUE(judge.asked[3].values.empty());
    EXPECT_EQ(result.values[0].n_positive, 1u);
    EXPECT_EQ(result.values[0].n_negative, 1u);
    EXPECT_EQ(result.values[1].n_positive, 0u) << "the judge has no opinion";
    EXPECT_EQ(result.values[1].n_negative, 1u);
    EXPECT_TRUE(std::isnan(result.values[1].auroc)) << "one class only";
    EXPECT_EQ(result.mean_auroc, result.values[0].auroc);
}

TEST(CheckJudge, TheMeanIsOverValuesWithBothClasses) {
    FakeJudge judge([](const JudgeItem & item, std::size_t value) { return value == 0 && truth(item) ? 0.9 : 0.1; });
    const JudgeCheck result = check(judge, labelled({{0, 0}, {1, 1}, {0, 0}, {1, 1}}));
    EXPECT_EQ(result.values[0].auroc, 1.0);
    EXPECT_EQ(result.values[1].auroc, 0.5);
    EXPECT_EQ(result.mean_auroc, 0.75);
    EXPECT_TRUE(std::isnan(check(judge, labelled({{1, 1}, {1, 1}})).mean_auroc));
}

TEST(CheckJudge, NoTextsIsBadInput) {
    FakeJudge judge([](const JudgeItem &, std::size_t) { return 0.5; });
    expect_error(ErrorKind::bad_input, {"made-up labels", "no labelled text"}, [&] { check(judge, {}); });
}

} // namespace
} // namespace valuelens
