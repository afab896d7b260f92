#include "evaluate/summarize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "base/random.h"

namespace valuelens {
namespace {

constexpr double dropped = std::numeric_limits<double>::quiet_NaN();

Evaluation two_variants(std::vector<EvaluationItem> items) {
    Evaluation evaluation;
    evaluation.bootstraps = 400;
    evaluation.confidence = 0.95;
    evaluation.variants = {{"base", {}, {}, nullptr}, {"steered", {}, {}, nullptr}};
    evaluation.quantities = {"x"};
    evaluation.measures = {{"x", "x", "", Aggregate::mean, false, true},
                           {"x_centred", "x", "", Aggregate::mean, true, true},
                           {"x_sum", "x", "", Aggregate::sum, false, false}};
    evaluation.items = std::move(items);
    return evaluation;
}

Evaluation four_items() {
    return two_variants({{"1", "1", {"a"}, {{1, 2}}},
                         {"2", "2", {"a"}, {{3, 3}}},
                         {"3", "3", {"b"}, {{5, 9}}},
                         {"4", "4", {"b", "a"}, {{7, 10}}}});
}

/// Width of the interval.
double width(const EvaluationScore & score) {
    return score.estimate.high - score.estimate.low;
}

TEST(Summarize, MeansSumsAndCentredMeansByHand) {
    Evaluation evaluation = four_items();
    summarize(evaluation, {"a", "b"});
    EXPECT_EQ(evaluation.find("x")->scores[0].estimate.value, 4);
    EXPECT_EQ(evaluation.find("x")->scores[1].estimate.value, 6);
    EXPECT_EQ(evaluation.find("x")->differences[1].estimate.value, 2);
    EXPECT_NEAR(evaluation.find("x", "a")->scores[0].estimate.value, 11.0 / 3, 1e-12);
    EXPECT_EQ(evaluation.find("x", "a")->scores[0].n, 3u);
    EXPECT_NEAR(evaluation.find("x_centred", "b")->scores[0].estimate.value, 6 - 4, 1e-12);
    EXPECT_NEAR(evaluation.find("x_centred", "b")->scores[1].estimate.value, 9.5 - 6, 1e-12);
    EXPECT_NEAR(evaluation.find("x_centred", "b")->differences[1].estimate.value, 3.5 - 2, 1e-12);
    EXPECT_EQ(evaluation.find("x_sum")->scores[1].estimate.value, 24);
    EXPECT_EQ(evaluation.find("x_sum")->differences[1].estimate.value, 8);
}

TEST(Summarize, RowsAreThoseThatAMeasureHas) {
    Evaluation evaluation = four_items();
    summarize(evaluation, {"a", "b", "nobody"});
    std::vector<std::string> rows;
    for (const EvaluationRow & row : evaluation.rows) {
        rows.push_back(row.measure + ":" + row.group);
    }
    EXPECT_THAT(rows, testing::ElementsAre("x:", "x:a", "x:b", "x_centred:a", "x_centred:b", "x_sum:"));
}

TEST(Summarize, AShiftOfAllItemsHasNoIntervalOfItsDifferenceAndNoCentredDifference) {
    Rng rng(5);
    std::vector<EvaluationItem> items;
    for (int i = 0; i < 40; ++i) {
        const double score = rng.normal();
        items.push_back({std::to_string(i), std::to_string(i), {i % 4 == 0 ? "a" : "b"}, {{score, score + 0.5}}});
    }
    Evaluation evaluation = two_variants(std::move(items));
    summarize(evaluation, {"a", "b"});
    const EvaluationRow & row = *evaluation.find("x");
    EXPECT_GT(width(row.scores[1]), 0.3) << "the items differ";
    EXPECT_NEAR(row.differences[1].estimate.low, 0.5, 1e-9) << "both are resampled together";
    EXPECT_NEAR(row.differences[1].estimate.high, 0.5, 1e-9);
    const Estimate & centred = evaluation.find("x_centred", "a")->differences[1].estimate;
    EXPECT_NEAR(centred.value, 0, 1e-9);
    EXPECT_NEAR(centred.low, 0, 1e-9);
    EXPECT_NEAR(centred.high, 0, 1e-9);
}

TEST(Summarize, TheIntervalOfAMeanIsThatOfNormalTheory) {
    Rng rng(7);
    std::vector<EvaluationItem> items;
    double sum = 0;
    double squares = 0;
    constexpr int n = 400;
    for (int i = 0; i < n; ++i) {
        const double score = rng.normal();
        sum += score;
        squares += score * score;
        items.push_back({std::to_string(i), std::to_string(i), {}, {{score, -score}}});
    }
    Evaluation evaluation = two_variants(std::move(items));
    evaluation.bootstraps = 2000;
    summarize(evaluation, {});
    const double error = std::sqrt((squares / n - sum / n * (sum / n)) / n);
    // 2000 resamples know a 2.5 % quantile of a normal to about 0.06 standard errors.
    EXPECT_NEAR(evaluation.find("x")->scores[0].estimate.low, sum / n - 1.96 * error, 0.25 * error);
    EXPECT_NEAR(evaluation.find("x")->scores[0].estimate.high, sum / n + 1.96 * error, 0.25 * error);
    EXPECT_NEAR(width(evaluation.find("x")->differences[1]), 2 * 2 * 1.96 * error, 0.5 * error);
}

TEST(Summarize, ItemsOfAClusterAreDrawnTogether) {
    std::vector<EvaluationItem> apart;
    std::vector<EvaluationItem> together;
    Rng rng(3);
    for (int i = 0; i < 30; ++i) {
        const double score = rng.normal();
        for (int copy = 0; copy < 4; ++copy) {
            const std::string id = std::to_string(i) + "/" + std::to_string(copy);
            apart.push_back({id, id, {}, {{score, score}}});
            together.push_back({id, std::to_string(i), {}, {{score, score}}});
        }
    }
    Evaluation a = two_variants(std::move(apart));
    Evaluation b = two_variants(std::move(together));
    summarize(a, {});
    summarize(b, {});
    // Four copies of one number are one observation: the interval is twice as wide.
    EXPECT_NEAR(width(b.find("x")->scores[0]) / width(a.find("x")->scores[0]), 2, 0.4);
}

TEST(Summarize, DifferencesRestOnTheItemsThatBothHave) {
    Evaluation evaluation = two_variants(
        {{"1", "1", {"a"}, {{1, 2}}}, {"2", "2", {"a"}, {{dropped, 8}}}, {"3", "3", {"a"}, {{4, dropped}}}});
    summarize(evaluation, {"a"});
    const EvaluationRow & row = *evaluation.find("x");
    EXPECT_EQ(row.scores[0].estimate.value, 2.5);
    EXPECT_EQ(row.scores[0].n, 2u);
    EXPECT_EQ(row.scores[1].estimate.value, 5);
    EXPECT_EQ(row.differences[1].estimate.value, 1);
    EXPECT_EQ(row.differences[1].n, 1u);
    EXPECT_TRUE(std::isnan(row.differences[1].estimate.low)) << "one cluster has no spread";
    EXPECT_EQ(row.differences[0].n, 0u);
}

TEST(Summarize, DifferencesRestOnTheQuestionsThatBothHave) {
    Evaluation evaluation = two_variants({{"1", "1", {"a"}, {{2, 5}}, {{{2, 2}, {6, 1}}}},
                                          {"2", "2", {"a"}, {{4, 4}}},
                                          {"3", "3", {"b"}, {{9, 3}}, {{{9, 9}, {}}}}});
    summarize(evaluation, {"a", "b"});
    const EvaluationRow & row = *evaluation.find("x");
    EXPECT_EQ(row.scores[0].estimate.value, 5);
    EXPECT_EQ(row.scores[1].estimate.value, 4);
    EXPECT_EQ(row.scores[1].n, 3u);
    EXPECT_EQ(row.differences[1].estimate.value, ((6 - 1) + (4 - 4)) / 2.0);
    EXPECT_EQ(row.differences[1].n, 2u) << "the third shares no question with the base";
    EXPECT_EQ(evaluation.find("x", "b")->differences[1].n, 0u);
    EXPECT_EQ(row.differences[1].estimate.low, 0) << "resampled as the estimate is made";
    EXPECT_EQ(row.differences[1].estimate.high, 5);
}

TEST(Summarize, SeedAloneDecidesTheIntervals) {
    Evaluation first = four_items();
    Evaluation again = four_items();
    Evaluation other = four_items();
    other.seed = 1;
    other.bootstraps = first.bootstraps = again.bootstraps = 37;
    summarize(first, {"a", "b"});
    summarize(again, {"a", "b"});
    summarize(other, {"a", "b"});
    const auto intervals = [](const Evaluation & evaluation) {
        std::vector<double> all;
        for (const EvaluationRow & row : evaluation.rows) {
            all.push_back(row.scores[0].estimate.low);
            all.push_back(row.scores[0].estimate.high);
        }
        return all;
    };
    EXPECT_EQ(intervals(first), intervals(again));
    EXPECT_NE(intervals(first), intervals(other));
}

TEST(PairedDrop, IsTheDifferenceTurnedRound) {
    Evaluation evaluation = four_items();
    summarize(evaluation, {"a", "b"});
    const EvaluationRow & row = *evaluation.find("x");
    const Estimate drop = paired_drop(row);
    EXPECT_EQ(drop.value, -2);
    EXPECT_EQ(drop.low, -row.differences[1].estimate.high);
    EXPECT_EQ(drop.high, -row.differences[1].estimate.low);
    EXPECT_LE(drop.low, drop.high);
}

TEST(SampleItems, AreASeededSubsetInOrder) {
    const std::vector<std::size_t> sample = sample_items(100, 20, 4);
    EXPECT_EQ(sample.size(), 20u);
    EXPECT_TRUE(std::is_sorted(sample.begin(), sample.end()));
    EXPECT_EQ(std::set<std::size_t>(sample.begin(), sample.end()).size(), 20u);
    EXPECT_EQ(sample, sample_items(100, 20, 4));
    EXPECT_NE(sample, sample_items(100, 20, 5));
    EXPECT_EQ(sample_items(3, 0, 1).size(), 3u);
    EXPECT_EQ(sample_items(3, 9, 1).size(), 3u);
}

} // namespace
} // namespace valuelens
