#include "evaluate/question_scores.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace valuelens {
namespace {

using testing::ElementsAre;

TEST(QuestionScores, VariantsThatLostNothingCompareByTheirScores) {
    QuestionScores scores(3, 2);
    for (std::size_t question = 0; question < 3; ++question) {
        scores.set(question, 0, 0.1 * static_cast<double>(question + 1));
        scores.set(question, 1, 5);
    }
    EXPECT_THAT(scores.means(), ElementsAre((0.1 + 0.1 * 2 + 0.1 * 3) / 3, 5)) << "summed in order, to the last bit";
    EXPECT_TRUE(scores.shared().empty());
}

TEST(QuestionScores, VariantsThatLostDifferentQuestionsCompareByThoseThatBothHave) {
    QuestionScores scores(3, 3);
    scores.set(1, 0, 4); // the base lost the first
    scores.set(2, 0, 8);
    scores.set(0, 1, 1); // one variant the last
    scores.set(1, 1, 5);
    scores.set(0, 2, 9); // another all that the base has
    EXPECT_THAT(scores.means(), ElementsAre(6, 3, 9));
    const std::vector<SharedScore> shared = scores.shared();
    ASSERT_EQ(shared.size(), 3u);
    EXPECT_EQ(shared[0].variant, 6);
    EXPECT_EQ(shared[0].base, 6);
    EXPECT_EQ(shared[1].variant, 5);
    EXPECT_EQ(shared[1].base, 4);
    EXPECT_TRUE(std::isnan(shared[2].variant));
    EXPECT_TRUE(std::isnan(shared[2].base));
}

TEST(QuestionScores, AVariantWithoutAnyQuestionHasNothingToShare) {
    QuestionScores scores(2, 2);
    scores.set(0, 0, 4);
    EXPECT_TRUE(std::isnan(scores.means()[1]));
    EXPECT_TRUE(scores.shared().empty());
}

TEST(QuestionScores, AQuantityOfAnItemKeepsItsPlace) {
    EvaluationItem item;
    add_quantity(item, {1, 2});
    EXPECT_TRUE(item.shared.empty());
    add_quantity(item, {3, 4}, {{3, 3}, {8, 6}});
    add_quantity(item, {5, 6});
    EXPECT_EQ(item.scores.size(), 3u);
    EXPECT_EQ(item.against_base(0, 1).variant, 2);
    EXPECT_EQ(item.against_base(0, 1).base, 1);
    EXPECT_EQ(item.against_base(1, 1).variant, 8);
    EXPECT_EQ(item.against_base(1, 1).base, 6);
    EXPECT_EQ(item.against_base(2, 1).base, 5);
    item.scores[2][1] = std::nan("");
    EXPECT_TRUE(std::isnan(item.against_base(2, 1).base)) << "one alone is no pair";
}

} // namespace
} // namespace valuelens
