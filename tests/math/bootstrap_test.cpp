#include "math/bootstrap.h"

#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "math/parallel_for.h"
#include "math/reference.h"

namespace valuelens {
namespace {

TEST(BootstrapWeights, AddUpToTheNumberOfGroups) {
    for (const std::size_t n : {0, 1, 7, 1000}) {
        const std::vector<std::uint32_t> weights = bootstrap_weights(n, 3, 42);
        ASSERT_EQ(weights.size(), n);
        EXPECT_EQ(std::accumulate(weights.begin(), weights.end(), std::size_t{0}), n);
    }
}

TEST(BootstrapWeights, DependOnSeedAndResampleAloneNotOnOrderOrThreads) {
    std::vector<std::vector<std::uint32_t>> one_by_one;
    for (std::size_t b = 0; b < 20; ++b) {
        one_by_one.push_back(bootstrap_weights(50, b, 1));
    }
    std::vector<std::vector<std::uint32_t>> threaded(20);
    parallel_for(20, 4, [&](std::size_t i) { threaded[19 - i] = bootstrap_weights(50, 19 - i, 1); });
    EXPECT_EQ(one_by_one, threaded);
    EXPECT_NE(one_by_one[0], one_by_one[1]);
    EXPECT_NE(one_by_one[0], bootstrap_weights(50, 0, 2));
}

TEST(BootstrapWeights, DrawEachGroupOnceOnAverageWithPoissonLikeSpread) {
    constexpr std::size_t n = 40;
    constexpr std::size_t resamples = 2000;
    std::vector<double> mean(n, 0);
    double squares = 0;
    for (std::size_t b = 0; b < resamples; ++b) {
        const std::vector<std::uint32_t> weights = bootstrap_weights(n, b, 5);
        for (std::size_t i = 0; i < n; ++i) {
            mean[i] += weights[i] / double(resamples);
            squares += (weights[i] - 1.0) * (weights[i] - 1.0) / double(n * resamples);
        }
    }
    // Six standard errors of a mean of 2000 draws with standard deviation 1.
    constexpr double six_standard_errors = 0.135;
    for (const double m : mean) {
        EXPECT_NEAR(m, 1.0, six_standard_errors);
    }
    EXPECT_NEAR(squares, 1 - 1.0 / n, 0.03);
}

TEST(Quantile, AgreesWithNumpy) {
    const nlohmann::json reference = load_reference("statistics_reference.json");
    ASSERT_FALSE(reference.at("quantiles").empty());
    for (const auto & example : reference.at("quantiles")) {
        EXPECT_NEAR(quantile(example.at("values").get<std::vector<double>>(), example.at("q").get<double>()),
                    example.at("value").get<double>(), 1e-13);
    }
}

TEST(Quantile, UndefinedForNothingAndForNaN) {
    EXPECT_TRUE(std::isnan(quantile({}, 0.5)));
    EXPECT_TRUE(std::isnan(quantile({1, std::nan(""), 3}, 0.5)));
    EXPECT_TRUE(std::isinf(quantile({1, INFINITY, INFINITY}, 0.75)));
}

TEST(PercentileInterval, IsThePairOfQuantiles) {
    std::vector<double> estimates(101);
    std::iota(estimates.rbegin(), estimates.rend(), 0.0);
    const Interval interval = percentile_interval(estimates, 0.9);
    EXPECT_NEAR(interval.low, 5, 1e-9);
    EXPECT_NEAR(interval.high, 95, 1e-9);
}

TEST(PercentileInterval, LeavesOutUndefinedResamplesUpToHalf) {
    const double nan = std::nan("");
    const Interval half = percentile_interval(std::vector<double>{nan, 1, nan, 1}, 0.95);
    EXPECT_EQ(half.low, 1);
    EXPECT_EQ(half.high, 1);
    const Interval most = percentile_interval(std::vector<double>{nan, 1, nan}, 0.95);
    EXPECT_TRUE(std::isnan(most.low) && std::isnan(most.high));
    EXPECT_TRUE(std::isnan(percentile_interval({}, 0.95).low));
}

} // namespace
} // namespace valuelens
