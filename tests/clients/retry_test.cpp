#include "clients/retry.h"

#include <gtest/gtest.h>

namespace valuelens {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

TEST(Backoff, IsJitteredUpToABoundThatDoublesToALimit) {
    const RetryPolicy policy{.first = 100ms, .longest = 1000ms};
    for (int attempt = 0; attempt < 40; ++attempt) {
        const milliseconds bound = attempt < 4 ? 100ms * (1 << attempt) : 1000ms;
        milliseconds least = 24h;
        milliseconds most = 0ms;
        for (std::uint64_t request = 0; request < 200; ++request) {
            const milliseconds wait = backoff(policy, request, attempt);
            EXPECT_GE(wait, 0ms);
            EXPECT_LT(wait, bound);
            least = std::min(least, wait);
            most = std::max(most, wait);
        }
        EXPECT_LT(least, bound / 10);
        EXPECT_GT(most, bound * 9 / 10);
    }
}

TEST(Backoff, DependsOnSeedRequestAndAttemptAlone) {
    const RetryPolicy policy{.seed = 1};
    EXPECT_EQ(backoff(policy, 3, 2), backoff(policy, 3, 2));
    EXPECT_NE(backoff(policy, 3, 2), backoff(policy, 4, 2));
    EXPECT_NE(backoff(policy, 3, 2), backoff({.seed = 2}, 3, 2));
}

TEST(RetryAfter, IsSecondsOrADate) {
    const auto now = std::chrono::sys_days(std::chrono::year(2015) / 10 / 21) + 7h + 27min;
    EXPECT_EQ(parse_retry_after("120", now), 120s);
    EXPECT_EQ(parse_retry_after(" 0 ", now), 0s);
    EXPECT_EQ(parse_retry_after("Wed, 21 Oct 2015 07:28:00 GMT", now), 60s);
    EXPECT_EQ(parse_retry_after("Tue, 20 Oct 2015 07:28:00 GMT", now), 0s);
    EXPECT_EQ(parse_retry_after("Tue, 01 Mar 2016 00:00:00 GMT", now), 24h * 132 - 7h - 27min);
    EXPECT_GT(parse_retry_after("18446744073709551615", now), 24h * 365);
}

TEST(RetryAfter, IsNothingForAnyOtherText) {
    const auto now = std::chrono::system_clock::now();
    for (const char * text :
         {"", "soon", "-1", "1.5", "10 s", "99999999999999999999", "Wed, 21 Oct 2015 07:28:00",
          "Wed, 99 Oct 2015 07:28:00 GMT", "Wed, 21 Foo 2015 07:28:00 GMT", "Wed, 21 ctN 2015 07:28:00 GMT"}) {
        EXPECT_FALSE(parse_retry_after(text, now)) << text;
    }
}

} // namespace
} // namespace valuelens
