#include "explain/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace valuelens {
namespace {

using testing::ElementsAre;

// Reference: the formulas of Monroe et al. (2008), equations 16, 19 and 22, worked out in Python for
// y_i = [30, 5, 1], y_j = [10, 20, 0], alpha = [40, 25, 1].
TEST(OverRepresented, TheNumbersAreThoseOfTheFormula) {
    const TokenCounts here = {{1, 30}, {2, 5}, {3, 1}};
    const TokenCounts elsewhere = {{1, 10}, {2, 20}};
    const TokenCounts background = {{1, 40}, {2, 25}, {3, 1}};
    const auto found = over_represented(here, elsewhere, background, 66, 10);
    ASSERT_EQ(found.size(), 2u); // token 2 is rarer here than elsewhere
    EXPECT_EQ(found[0].first, 1);
    EXPECT_NEAR(found[0].second, 3.777071433653252, 1e-12);
    EXPECT_EQ(found[1].first, 3);
    EXPECT_NEAR(found[1].second, 0.5240715035149343, 1e-12);
}

TEST(OverRepresented, ATokenThatTheBackgroundLacksIsLeftOut) {
    EXPECT_TRUE(over_represented({{1, 5}}, {}, {{2, 5}}, 10, 10).empty());
}

Explanation rated(double abstractness, double relevance) {
    Explanation explanation;
    explanation.text = "x";
    explanation.abstractness = abstractness;
    explanation.value_relevance = relevance;
    return explanation;
}

TEST(CompareCategories, MeansAreOverPolesAndExcerptsCountOnce) {
    const Explanation low = rated(1, 2);
    const Explanation high = rated(4, 5);
    const Explanation none;
    const std::vector<Excerpt> kind = {{0, {1, 1, 2}, {}, 0}, {1, {1, 2, 3}, {}, 0}};
    const std::vector<Excerpt> other = {{2, {4, 2, 3}, {}, 0}};
    const std::vector<ComparedPole> poles = {{{"shared"}, 0, &high, kind},
                                             {{"shared", "intrinsic"}, 1, &low, other},
                                             {{"shared"}, 2, &high, kind}, // the same excerpts again
                                             {{"intrinsic"}, 3, &none, other}};
    ExplainOptions options;
    const auto text_of = [](Token token) {
        return std::string(1, static_cast<char>('a' + token));
    };
    const std::vector<CategorySummary> found =
        compare_categories(poles, {{1, 1}, {2, 1}, {3, 1}, {4, 1}}, text_of, options);
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0].category, "shared");
    EXPECT_EQ(found[0].n_poles, 3u);
    EXPECT_NEAR(found[0].abstractness.value, 3, 1e-12);
    EXPECT_NEAR(found[0].value_relevance.value, 4, 1e-12);
    EXPECT_LT(found[0].abstractness.low, found[0].abstractness.value);
    EXPECT_EQ(found[1].category, "intrinsic");
    EXPECT_EQ(found[1].n_explained, 1u);
    EXPECT_NEAR(found[1].abstractness.value, 1, 1e-12);
    EXPECT_TRUE(std::isnan(found[1].abstractness.low)) << "one neuron has no interval";
    ASSERT_FALSE(found[0].tokens.empty());
    EXPECT_EQ(found[0].tokens.front().first, "b");
}

} // namespace
} // namespace valuelens
