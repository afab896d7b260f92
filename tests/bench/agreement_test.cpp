#include "bench/agreement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/random.h"

namespace valuelens::bench {
namespace {

constexpr std::size_t n_layer = 3;
constexpr std::size_t n_embd = 4;

/// Four queries, two values.
MainJobResult some_result() {
    MainJobResult result;
    Rng random(7);
    for (std::size_t job = 0; job < 8; ++job) {
        result.prompts.push_back({1, static_cast<Token>(job)});
        result.responses.push_back({5, 6, 7, static_cast<Token>(job)});
        for (const char * value : {"Power", "Security"}) {
            if (job < 4 || value == std::string("Power")) {
                result.judged.push_back({job, value, random.normal(), 20});
            }
        }
        for (std::size_t i = 0; i < n_layer * n_embd; ++i) {
            result.means.push_back(static_cast<float>(random.normal()));
        }
    }
    return result;
}

TEST(Agreement, OfASideWithItselfIsWhole) {
    const MainJobResult side = some_result();
    require_same_work(side, side);
    const Agreement found = compare(side, side, n_layer, n_embd);
    EXPECT_EQ(found.responses, 8);
    EXPECT_EQ(found.equal_responses, 8);
    EXPECT_DOUBLE_EQ(found.equal_beginning, 1);
    EXPECT_NEAR(found.log_odds_correlation, 1, 1e-12);
    EXPECT_NEAR(found.mean_cosine.low, 1, 1e-12);
    EXPECT_NEAR(found.v_cosine.low, 1, 1e-12);
    EXPECT_NEAR(found.v_cosine_same_labels.low, 1, 1e-12);
}

TEST(Agreement, FallsWithWhatDiffers) {
    const MainJobResult a = some_result();
    MainJobResult b = a;
    b.responses[2][1] = 99;
    b.judged[0].log_odds = -a.judged[0].log_odds;
    for (std::size_t i = 0; i < n_embd; ++i) {
        b.means[n_layer * n_embd + i] *= -1;     // job 1, block 0
        b.means[(n_layer - 1) * n_embd + i] = 0; // job 0, last block: left out
    }
    const Agreement found = compare(a, b, n_layer, n_embd);
    EXPECT_EQ(found.equal_responses, 7);
    EXPECT_DOUBLE_EQ(found.equal_beginning, (7 + 0.25) / 8);
    EXPECT_LT(found.log_odds_correlation, 0.999);
    EXPECT_NEAR(found.mean_cosine.low, -1, 1e-12);
    EXPECT_NEAR(found.mean_cosine.median, 1, 1e-12);
    EXPECT_LT(found.v_cosine_same_labels.low, 0.999);
}

std::string refusal(const MainJobResult & a, const MainJobResult & b) {
    try {
        require_same_work(a, b);
    } catch (const Error & error) {
        return error.what();
    }
    return "";
}

TEST(Agreement, UnequalWorkIsRefused) {
    const MainJobResult a = some_result();
    MainJobResult b = a;
    b.prompts[3].push_back(4);
    EXPECT_THAT(refusal(a, b), testing::HasSubstr("prompt 3"));
    b = a;
    b.responses[5].pop_back();
    EXPECT_THAT(refusal(a, b), testing::HasSubstr("response 5 has 4 tokens here, 3 there"));
    b = a;
    b.judged.pop_back();
    EXPECT_THAT(refusal(a, b), testing::HasSubstr("12 judgements here, 11 there"));
    b = a;
    b.judged[1].tokens = 24;
    EXPECT_THAT(refusal(a, b), testing::HasSubstr("judgement 1"));
    b.judged[1].tokens = 23;
    EXPECT_EQ(refusal(a, b), "");
    b.judged[1].tokens = 40;
    b.responses[b.judged[1].job][0] = 8; // another text may well be longer
    EXPECT_EQ(refusal(a, b), "");
}

TEST(ReadQueries, TakesTheFieldsOfThePeerAndCutsByCharacters) {
    const std::filesystem::path path = std::filesystem::path(testing::TempDir()) / "compare_reference_queries.json";
    std::string wide;
    for (int i = 0; i < 1501; ++i) {
        wide += "é";
    }
    std::ofstream(path) << R"(["plain", {"text": "field"}, {"content": {"title": null, "text": "inner"}}, {"query": ")"
                        << wide << R"("}, "beyond"])";
    const std::vector<std::string> queries = read_queries(path, 4);
    EXPECT_THAT(queries, testing::ElementsAre("plain", "field", "inner", wide.substr(0, 3000)));
    std::ofstream(path) << R"([{"title": "no text"}])";
    EXPECT_THROW(read_queries(path, 4), Error);
    std::filesystem::remove(path);
}

} // namespace
} // namespace valuelens::bench
