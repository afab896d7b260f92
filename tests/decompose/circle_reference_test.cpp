#include "decompose/circle_reference.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

namespace valuelens {
namespace {

TEST(CircleReference, CountsTheOrdersThatFitWhateverTheData) {
    const std::vector<double> square{0, 90, 180, 270};
    EXPECT_DOUBLE_EQ(CircleReference(square, 0, 1).symmetric_share(), 8.0 / 24);
    const std::vector<double> pentagon{0, 72, 144, 216, 288};
    EXPECT_DOUBLE_EQ(CircleReference(pentagon, 0, 1).symmetric_share(), 10.0 / 120);
    const std::vector<double> shared_wedge{0, 0, 90, 200};
    EXPECT_DOUBLE_EQ(CircleReference(shared_wedge, 0, 1).symmetric_share(), 2.0 / 24);
}

TEST(CircleReference, CountsTurnedAndMirroredOrdersAsEquallyGood) {
    const std::vector<double> square{0, 90, 180, 270};
    const CircleReference circle(square, 3000, 1);
    const RowMatrix corners{{0.5, 0.0}, {0.0, 0.5}, {-0.5, 0.0}, {0.0, -0.5}};
    const CircleFit found = circle.fit(corners);
    EXPECT_NEAR(found.r_squared, 1, 1e-12);
    EXPECT_NEAR(found.p, 1.0 / 3, 0.043); // five standard errors
    EXPECT_TRUE(std::isnan(CircleReference(square, 0, 1).fit(corners).p));
}

TEST(CircleReference, AnglesAreApartTheShortWayRound) {
    EXPECT_DOUBLE_EQ(angle_distance(324, 0), 36);
    EXPECT_DOUBLE_EQ(angle_distance(10, 200), 170);
    EXPECT_DOUBLE_EQ(angle_distance(-10, 370), 20);
}

} // namespace
} // namespace valuelens
