#include "math/correlation.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "math/reference.h"

namespace valuelens {
namespace {

TEST(Correlation, AgreesWithScipyWithAndWithoutTies) {
    const nlohmann::json reference = load_reference("shape_reference.json");
    ASSERT_FALSE(reference.at("correlations").empty());
    for (const auto & example : reference.at("correlations")) {
        const auto a = example.at("a").get<std::vector<double>>();
        const auto b = example.at("b").get<std::vector<double>>();
        EXPECT_NEAR(pearson(a, b), example.at("pearson").get<double>(), 1e-12);
        EXPECT_NEAR(spearman(a, b), example.at("spearman").get<double>(), 1e-12);
    }
}

TEST(Correlation, MonotoneButCurvedIsOneForRanksOnly) {
    const std::vector<double> a{1, 2, 3, 4};
    const std::vector<double> b{1, 10, 100, 1000};
    EXPECT_DOUBLE_EQ(spearman(a, b), 1);
    EXPECT_LT(pearson(a, b), 0.9);
}

TEST(Correlation, UndefinedForOnePairAConstantSideOrNaN) {
    const std::vector<double> a{1, 2, 3};
    EXPECT_TRUE(std::isnan(pearson(std::vector<double>{1}, std::vector<double>{2})));
    for (const std::vector<double> & b : {std::vector<double>{0.1, 0.1, 0.1}, std::vector<double>{1, NAN, 2}}) {
        EXPECT_TRUE(std::isnan(pearson(a, b)));
        EXPECT_TRUE(std::isnan(spearman(b, a)));
    }
}

} // namespace
} // namespace valuelens
