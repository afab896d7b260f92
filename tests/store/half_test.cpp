#include "store/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

using namespace valuelens;

TEST(Half, EveryHalfSurvivesTheRoundTrip) {
    for (unsigned bits = 0; bits < 0x10000; ++bits) {
        const auto half = static_cast<std::uint16_t>(bits);
        const float value = half_to_float(half);
        if (std::isnan(value)) {
            EXPECT_TRUE(std::isnan(half_to_float(float_to_half(value)))) << bits;
        } else {
            EXPECT_EQ(float_to_half(value), half) << bits;
        }
    }
}

TEST(Half, RoundsToTheNearestTiesToEven) {
    for (unsigned bits = 0; bits < 0x7bff; ++bits) {
        const auto low = static_cast<std::uint16_t>(bits);
        const auto high = static_cast<std::uint16_t>(bits + 1);
        const float middle = 0.5f * (half_to_float(low) + half_to_float(high)); // exact in float
        EXPECT_EQ(float_to_half(middle), bits % 2 == 0 ? low : high) << bits;
        EXPECT_EQ(float_to_half(std::nextafter(middle, 0.0f)), low) << bits;
        EXPECT_EQ(float_to_half(std::nextafter(middle, 1e9f)), high) << bits;
    }
}

TEST(Half, KnownValuesAndOverflow) {
    EXPECT_EQ(float_to_half(1.0f), 0x3c00);
    EXPECT_EQ(float_to_half(-2.0f), 0xc000);
    EXPECT_EQ(half_to_float(0x7bff), 65504.0f);
    EXPECT_EQ(half_to_float(0x0001), 0x1.0p-24f);
    EXPECT_EQ(float_to_half(65519.0f), 0x7bff);
    EXPECT_EQ(float_to_half(65520.0f), 0x7c00);
    EXPECT_EQ(float_to_half(-std::numeric_limits<float>::infinity()), 0xfc00);
}
