#include "evaluate/ngrams.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

namespace valuelens {
namespace {

using nlohmann::json;

/// Made by make_diversity_reference.py.
json reference() {
    std::ifstream file(std::string(VALUELENS_SOURCE_DIR) + "/tests/evaluate/diversity_reference.json");
    EXPECT_TRUE(file) << "tests/evaluate/diversity_reference.json is missing";
    return json::parse(file);
}

TEST(Ngrams, AgreeWithFractionsAndScipy) {
    const json stored = reference();
    const auto texts = stored["texts"].get<std::vector<TextWords>>();
    ASSERT_EQ(stored["orders"].size(), 5u);
    for (const json & order : stored["orders"]) {
        const NgramCounts counts = count_ngrams(texts, order["n"]);
        EXPECT_EQ(counts.distinct, order["distinct"].get<std::size_t>());
        EXPECT_EQ(counts.total, order["total"].get<std::size_t>());
        EXPECT_NEAR(counts.entropy, order["entropy"], 1e-12);
        EXPECT_NEAR(distinct_share(counts), order["distinct_share"], 1e-15);
        for (const json & ead : order["ead"]) {
            EXPECT_NEAR(expectation_adjusted_distinct(counts, ead["vocabulary"]), ead["value"],
                        1e-12 * ead["value"].get<double>());
        }
    }
}

TEST(Ngrams, EadIsTheFormulaByAnotherRoute) {
    // N / (V (1 - ((V - 1) / V)^C)), by a sum instead of a power: the expected number of different ones grows by the
    // chance that the next draw is new.
    for (const std::size_t vocabulary : {1u, 2u, 50u, 30000u}) {
        double expected = 0;
        for (std::size_t drawn = 1; drawn <= 400; ++drawn) {
            expected += 1 - expected / static_cast<double>(vocabulary);
            EXPECT_NEAR(expectation_adjusted_distinct({17, drawn, 0}, vocabulary), 17 / expected, 1e-9 * 17 / expected)
                << vocabulary << " " << drawn;
        }
    }
    // Where one draw hardly matters, the plain power loses digits and expm1 does not.
    EXPECT_NEAR(expectation_adjusted_distinct({3, 4, 0}, 1'000'000'000'000), 0.75, 1e-11);
}

TEST(Ngrams, NothingIsUndefined) {
    EXPECT_TRUE(std::isnan(distinct_share(count_ngrams({}, 1))));
    EXPECT_TRUE(std::isnan(expectation_adjusted_distinct({}, 10)));
    const std::vector<TextWords> short_ones = {{"a"}, {"b"}};
    EXPECT_EQ(count_ngrams(short_ones, 2).total, 0u) << "none reaches across texts";
    EXPECT_TRUE(std::isnan(mean_pairwise_cosine_distance({})));
    const std::vector<std::vector<float>> one = {{1, 2}};
    EXPECT_TRUE(std::isnan(mean_pairwise_cosine_distance(one)));
    const std::vector<std::vector<float>> zero = {{1, 2}, {0, 0}};
    EXPECT_TRUE(std::isnan(mean_pairwise_cosine_distance(zero)));
}

TEST(Ngrams, PairwiseDistanceAgreesWithScipy) {
    const json stored = reference();
    const auto vectors = stored["vectors"].get<std::vector<std::vector<float>>>();
    constexpr double of_floats = 1e-6;
    EXPECT_NEAR(mean_pairwise_cosine_distance(vectors), stored["mean_cosine_distance"], of_floats);
    const std::vector<std::vector<float>> apart = {{1, 0}, {-2, 0}};
    EXPECT_NEAR(mean_pairwise_cosine_distance(apart), 2, 1e-12);
    const std::vector<std::vector<float>> same = {{1, 2}, {2, 4}, {3, 6}};
    EXPECT_NEAR(mean_pairwise_cosine_distance(same), 0, 1e-12);
}

} // namespace
} // namespace valuelens
