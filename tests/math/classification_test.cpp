#include "math/classification.h"

#include <cmath>

#include <gtest/gtest.h>

#include "math/reference.h"

namespace valuelens {
namespace {

TEST(Classification, AgreesWithScikitLearn) {
    const nlohmann::json reference = load_reference("statistics_reference.json");
    ASSERT_FALSE(reference.at("classification").empty());
    for (const auto & example : reference.at("classification")) {
        const auto truth = example.at("truth").get<std::vector<int>>();
        const auto predicted = example.at("predicted").get<std::vector<int>>();
        ClassificationCounts counts;
        for (std::size_t i = 0; i < truth.size(); ++i) {
            counts.add(truth[i] != 0, predicted[i] != 0);
        }
        EXPECT_DOUBLE_EQ(precision(counts), example.at("precision").get<double>());
        EXPECT_DOUBLE_EQ(recall(counts), example.at("recall").get<double>());
        EXPECT_DOUBLE_EQ(f1_score(counts), example.at("f1").get<double>());
    }
}

TEST(Classification, UndefinedWhereNothingIsCounted) {
    EXPECT_TRUE(std::isnan(precision({})));
    EXPECT_TRUE(std::isnan(recall({})));
    EXPECT_TRUE(std::isnan(f1_score({})));
    EXPECT_TRUE(std::isnan(accuracy({})));
    ClassificationCounts missed;
    missed.add(true, false, 3);
    EXPECT_TRUE(std::isnan(precision(missed)));
    EXPECT_EQ(recall(missed), 0);
    EXPECT_EQ(f1_score(missed), 0);
}

TEST(Classification, WeightsCountAnItemSeveralTimes) {
    ClassificationCounts counts;
    counts.add(true, true, 2);
    counts.add(false, true, 1);
    counts.add(false, false, 5);
    EXPECT_DOUBLE_EQ(precision(counts), 2.0 / 3);
    EXPECT_DOUBLE_EQ(accuracy(counts), 7.0 / 8);
}

} // namespace
} // namespace valuelens
