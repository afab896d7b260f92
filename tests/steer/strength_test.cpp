#include "steer/strength.h"

#include <gtest/gtest.h>

#include <cmath>

namespace valuelens {
namespace {

TEST(StrongestBelow, StopsAtTheFirstThatCostsTooMuch) {
    const std::vector<StrengthCost> costs = {{8, 1}, {1, 0.5}, {4, 9}, {2, 4.9}}; // in any order
    EXPECT_EQ(strongest_below(costs, 5), 3u) << "8 looks harmless beyond 4, which is not";
    EXPECT_EQ(strongest_below(costs, 10), 0u);
    EXPECT_EQ(strongest_below(costs, 4.9), 1u) << "less than, not equal";
    EXPECT_EQ(strongest_below(costs, 0.5), std::nullopt);
    EXPECT_EQ(strongest_below({}, 5), std::nullopt);
}

TEST(StrongestBelow, AnUnknownDropIsTooMuch) {
    const std::vector<StrengthCost> costs = {{1, -2}, {2, std::nan("")}, {3, 0}};
    EXPECT_EQ(strongest_below(costs, 5), 0u);
}

TEST(BestWindows, DoNotOverlapAndComeBestFirst) {
    const std::vector<double> scores = {0.5, 0.6, 0.9, 0.8, 0.7, 0.5, 0.6, 0.6};
    const auto windows = best_windows(scores, 2, 3);
    ASSERT_EQ(windows.size(), 3u);
    EXPECT_EQ(windows[0].first, 2);
    EXPECT_EQ(windows[0].last, 3);
    EXPECT_NEAR(windows[0].score, 0.85, 1e-12);
    EXPECT_EQ(windows[1].first, 4) << "of 4-5 and 6-7, which are equal, the first";
    EXPECT_EQ(windows[2].first, 6);
}

TEST(BestWindows, UndefinedBlocksArePassedOver) {
    const std::vector<double> scores = {0.5, std::nan(""), 0.9, 0.8};
    const auto windows = best_windows(scores, 2, 3);
    ASSERT_EQ(windows.size(), 1u);
    EXPECT_EQ(windows[0].first, 2);
    EXPECT_TRUE(best_windows(scores, 5, 3).empty());
}

} // namespace
} // namespace valuelens
