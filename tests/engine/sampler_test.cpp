#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "base/random.h"
#include "support/expect_error.h"

namespace valuelens {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

std::vector<float> random_logits(std::uint64_t seed, std::size_t n = 101) {
    Rng rng(seed);
    std::vector<float> logits(n);
    for (float & x : logits) {
        x = static_cast<float>(3 * rng.normal());
    }
    return logits;
}

std::vector<Token> draws(const Sampling & sampling, int n = 40) {
    Sampler sampler(sampling);
    const std::vector<float> logits = random_logits(1);
    std::vector<Token> tokens;
    for (int i = 0; i < n; ++i) {
        tokens.push_back(sampler.next(logits));
    }
    return tokens;
}

TEST(Argmax, TheLowestIdWinsATie) {
    // Lengths around the width of the vectorised loop, ties in it and in the rest.
    for (const std::size_t n : {1u, 2u, 15u, 16u, 17u, 31u, 33u, 49152u}) {
        std::vector<float> logits(n, -2.0f);
        EXPECT_EQ(argmax(logits), 0) << n;
        for (const std::size_t first : {std::size_t{0}, n / 2, n - 1}) {
            std::fill(logits.begin(), logits.end(), -2.0f);
            logits[first] = logits[n - 1] = 1.5f;
            EXPECT_EQ(argmax(logits), static_cast<Token>(first)) << n;
        }
    }
}

TEST(Argmax, ForbiddenTokensAreNeverChosen) {
    const std::vector<float> logits = {-infinity, -1e30f, -infinity, -1e31f};
    EXPECT_EQ(argmax(logits), 1);
}

TEST(Argmax, LogitsThatAreNotNumbersAreAModelError) {
    for (const float bad : {nan, infinity, -infinity}) {
        expect_error(ErrorKind::model, {"not finite"}, [&] { argmax(std::vector<float>(40, bad)); });
    }
    std::vector<float> one_overflows = random_logits(2);
    one_overflows[70] = infinity;
    expect_error(ErrorKind::model, {"not finite", "steering strength"}, [&] { argmax(one_overflows); });
}

TEST(LogSumExp, EqualsTheSumInDouble) {
    const std::vector<float> logits = random_logits(3);
    double sum = 0;
    for (const float x : logits) {
        sum += std::exp(static_cast<double>(x));
    }
    EXPECT_NEAR(log_sum_exp(logits), std::log(sum), 1e-6);
    EXPECT_NEAR(log_sum_exp(std::vector<float>{1e30f, 1e30f}), 1e30, 1e24) << "no overflow";
}

TEST(Sampler, WithoutTemperatureItIsGreedyWhateverTheFiltersAre) {
    Sampler sampler({.temperature = 0, .top_k = 5, .top_p = 0.1f, .min_p = 0.9f, .seed = 8});
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const std::vector<float> logits = random_logits(seed);
        EXPECT_EQ(sampler.next(logits), argmax(logits));
    }
}

TEST(Sampler, FiltersThatLeaveOneTokenAreGreedy) {
    const std::array<Sampling, 3> narrow = {Sampling{.temperature = 2, .top_k = 1},
                                            Sampling{.temperature = 2, .top_p = 1e-6f},
                                            Sampling{.temperature = 2, .min_p = 1}};
    for (const Sampling & sampling : narrow) {
        Sampler sampler(sampling);
        for (std::uint64_t seed = 0; seed < 20; ++seed) {
            const std::vector<float> logits = random_logits(seed);
            EXPECT_EQ(sampler.next(logits), argmax(logits));
        }
    }
}

TEST(Sampler, TheSameSeedDrawsTheSame) {
    EXPECT_EQ(draws({.temperature = 2, .seed = 5}), draws({.temperature = 2, .seed = 5}));
    EXPECT_NE(draws({.temperature = 2, .seed = 5}), draws({.temperature = 2, .seed = 6}));
    EXPECT_NE(draws({.temperature = 2, .seed = 5}), draws({.temperature = 2, .seed = 5 + (std::uint64_t{1} << 32)}))
        << "the upper half of a seed counts, too";
}

TEST(Sampler, TheSeedThatMeansRandomToLlamaIsAsFixedAsAnyOther) {
    const Sampling sampling{.temperature = 2, .seed = LLAMA_DEFAULT_SEED};
    EXPECT_EQ(draws(sampling), draws(sampling));
}

TEST(Sampler, DrawsFollowTheSoftmaxAtTheTemperature) {
    const std::vector<float> logits = {0, 2, 4};
    Sampler sampler({.temperature = 2, .seed = 3});
    constexpr int n = 20000;
    std::array<int, 3> counts{};
    for (int i = 0; i < n; ++i) {
        ++counts[static_cast<std::size_t>(sampler.next(logits))];
    }
    const double total = 1 + std::exp(1.0) + std::exp(2.0);
    for (std::size_t token = 0; token < counts.size(); ++token) {
        // Five standard errors of a share are at most 0.018.
        EXPECT_NEAR(counts[token] / double{n}, std::exp(static_cast<double>(token)) / total, 0.018) << token;
    }
}

TEST(Sampler, LogitsThatAreNotNumbersAreAModelError) {
    for (const float temperature : {0.0f, 1.0f}) {
        Sampler sampler({.temperature = temperature});
        expect_error(ErrorKind::model, {"logits"}, [&] { sampler.next(std::vector<float>(40, nan)); });
    }
}

TEST(Entropy, IsThatOfTheSoftmax) {
    const std::vector<float> alike(4096, 7.5f);
    EXPECT_NEAR(entropy(alike), std::log(4096.0), 1e-6);
    EXPECT_NEAR(entropy(std::vector<float>{0, -infinity, -200}), 0, 1e-12);
    const std::vector<float> logits = random_logits(5, 1500);
    const double norm = log_sum_exp(logits);
    double expected = 0;
    for (const float x : logits) {
        const double p = std::exp(static_cast<double>(x) - norm);
        expected -= p * (static_cast<double>(x) - norm);
    }
    EXPECT_NEAR(entropy(logits), expected, 1e-5 * expected);
}

} // namespace
} // namespace valuelens
