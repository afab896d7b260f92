#include "math/auroc.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "math/reference.h"

namespace valuelens {
namespace {

constexpr double rounding = 1e-12;

TEST(Auroc, AgreesWithScikitLearnWithAndWithoutTiesAndWeights) {
    const nlohmann::json reference = load_reference("statistics_reference.json");
    ASSERT_FALSE(reference.at("auroc").empty());
    for (const auto & example : reference.at("auroc")) {
        const auto scores = example.at("scores").get<std::vector<double>>();
        const auto positive = example.at("positive").get<std::vector<std::uint8_t>>();
        const auto weights = example.at("weights").get<std::vector<std::uint32_t>>();
        const Auroc area(scores, positive);
        EXPECT_NEAR(area.value(), example.at("value").get<double>(), rounding);
        EXPECT_NEAR(area.value(weights), example.at("weighted").get<double>(), rounding);
        EXPECT_EQ(auroc(scores, positive), area.value());
    }
}

TEST(Auroc, SeparatedAndReversedClassesAreOneAndZero) {
    const std::vector<double> scores{1, 2, 3, 4};
    EXPECT_EQ(auroc(scores, std::vector<std::uint8_t>{0, 0, 1, 1}), 1.0);
    EXPECT_EQ(auroc(scores, std::vector<std::uint8_t>{1, 1, 0, 0}), 0.0);
}

TEST(Auroc, EqualScoresAreOneHalf) {
    EXPECT_EQ(auroc(std::vector<double>{5, 5, 5}, std::vector<std::uint8_t>{1, 0, 0}), 0.5);
}

TEST(Auroc, InfiniteScoresOrderLikeOthers) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    EXPECT_EQ(auroc(std::vector<double>{-infinity, 0, infinity, infinity}, std::vector<std::uint8_t>{0, 1, 1, 0}),
              0.625);
}

TEST(Auroc, UndefinedWithoutBothClassesOrWithNaN) {
    EXPECT_TRUE(std::isnan(auroc({}, {})));
    EXPECT_TRUE(std::isnan(auroc(std::vector<double>{1, 2}, std::vector<std::uint8_t>{1, 1})));
    EXPECT_TRUE(std::isnan(auroc(std::vector<double>{1, 2}, std::vector<std::uint8_t>{0, 0})));
    EXPECT_TRUE(std::isnan(auroc(std::vector<double>{1, std::nan(""), 3}, std::vector<std::uint8_t>{0, 1, 1})));
    const Auroc area(std::vector<double>{1, 2, 3}, std::vector<std::uint8_t>{0, 1, 1});
    EXPECT_TRUE(std::isnan(area.value(std::vector<std::uint32_t>{0, 2, 1})));
    EXPECT_EQ(area.value(std::vector<std::uint32_t>{1, 0, 2}), 1.0);
}

} // namespace
} // namespace valuelens
