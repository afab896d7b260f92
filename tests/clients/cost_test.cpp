#include "clients/cost.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace valuelens {
namespace {

using testing::HasSubstr;

TEST(DescribeCost, CountsAndPrices) {
    const ServerCost cost{1234567, 2000000, 460};
    EXPECT_EQ(describe_cost(cost, {}), "1,234,567 requests, about 2,000,000 prompt tokens, at most 460 answer tokens");
    EXPECT_THAT(describe_cost(cost, {2.5, 1000}), HasSubstr("about 5.46 in money at most (2.5 and 1000 per million)"));
}

TEST(GuessTokens, IsAQuarterOfTheBytesRoundedUp) {
    EXPECT_EQ(guess_tokens(0), 0u);
    EXPECT_EQ(guess_tokens(1), 1u);
    EXPECT_EQ(guess_tokens(400), 100u);
}

} // namespace
} // namespace valuelens
