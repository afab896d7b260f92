#include "math/running_mean.h"

#include <cmath>

#include <gtest/gtest.h>

namespace valuelens {
namespace {

TEST(RunningMean, UndefinedWhileEmpty) {
    const std::vector<double> mean = RunningMean(2).mean();
    ASSERT_EQ(mean.size(), 2u);
    EXPECT_TRUE(std::isnan(mean[0]) && std::isnan(mean[1]));
}

TEST(RunningMean, AveragesEachElement) {
    RunningMean mean(2);
    mean.add(std::vector<float>{1, 10});
    mean.add(std::vector<float>{2, 30});
    EXPECT_EQ(mean.mean(), (std::vector<double>{1.5, 20}));
    EXPECT_EQ(mean.count(), 2u);
}

TEST(RunningMean, SumsInDouble) {
    RunningMean mean(1);
    mean.add(std::vector<float>{1e8f});
    for (int i = 0; i < 3; ++i) {
        mean.add(std::vector<float>{1.0f}); // each would be lost in a float sum
    }
    EXPECT_EQ(mean.sum()[0], 1e8 + 3);
}

TEST(RunningMean, MergeEqualsOneStream) {
    RunningMean whole(1), first(1), second(1);
    for (int i = 0; i < 10; ++i) {
        const std::vector<float> value{static_cast<float>(i * i)};
        whole.add(value);
        (i < 4 ? first : second).add(value);
    }
    first.merge(second);
    first.merge(RunningMean(1));
    EXPECT_EQ(first.mean(), whole.mean());
    EXPECT_EQ(first.count(), whole.count());
}

} // namespace
} // namespace valuelens
