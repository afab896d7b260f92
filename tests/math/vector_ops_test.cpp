#include "math/vector_ops.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

namespace valuelens {
namespace {

TEST(VectorOps, DotAndNormSumInDouble) {
    const std::vector<float> a{3, 4};
    EXPECT_EQ(dot(a, std::vector<double>{0.5, 0.25}), 2.5);
    EXPECT_EQ(norm(a), 5);
    EXPECT_EQ(norm(std::vector<float>{}), 0);
    EXPECT_GT(norm(std::vector<float>{1e30f}), 1e29); // the square overflows a float
}

TEST(VectorOps, CosineOfKnownAngles) {
    EXPECT_EQ(cosine(std::vector<float>{1, 0}, std::vector<float>{0, 2}), 0);
    EXPECT_DOUBLE_EQ(cosine(std::vector<float>{1, 1}, std::vector<float>{-3, -3}), -1);
    EXPECT_NEAR(cosine(std::vector<float>{1, 0}, std::vector<float>{1, 1}), std::sqrt(0.5), 1e-15);
}

TEST(VectorOps, CosineStaysInRangeAndIsUndefinedForZeroOrNaN) {
    const std::vector<double> a{0.1, 0.2, 0.3};
    EXPECT_LE(cosine(a, a), 1.0);
    EXPECT_TRUE(std::isnan(cosine(std::vector<float>{0, 0}, std::vector<float>{1, 0})));
    EXPECT_TRUE(std::isnan(cosine(std::vector<float>{NAN, 0}, std::vector<float>{1, 0})));
}

} // namespace
} // namespace valuelens
