#include <cmath>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "math/vector_ops.h"
#include "valuelens/decompose.h"

namespace valuelens {
namespace {

using nlohmann::json;

constexpr double six_decimals = 0.6e-6;

ValueVectorSet make_set(const std::vector<std::string> & values, std::size_t n_layer, std::size_t n_embd,
                        std::uint64_t seed) {
    Rng rng(seed);
    ValueVectorSet set;
    set.provenance = {"toy", std::string(64, 'a'), "resid_post", "0-based block output", "test"};
    set.n_layer = n_layer;
    set.n_embd = n_embd;
    set.values = values;
    for (const std::string & value : values) {
        for (const Condition condition : {Condition::intrinsic, Condition::prompted}) {
            ValueVector & entry = set.vectors.emplace_back();
            entry.value = value;
            entry.condition = condition;
            for (std::size_t i = 0; i < n_layer * n_embd; ++i) {
                entry.vector.push_back(static_cast<float>(rng.normal() * double(1 + i / n_embd)));
            }
        }
    }
    return set;
}

ValueVector & entry_of(ValueVectorSet & set, std::size_t value, Condition condition) {
    return set.vectors[2 * value + static_cast<std::size_t>(condition)];
}

std::span<const float> row(const ValueVectorSet & set, std::size_t value, Condition condition, std::size_t layer) {
    return std::span(set.vectors[2 * value + static_cast<std::size_t>(condition)].vector)
        .subspan(layer * set.n_embd, set.n_embd);
}

json geometry(const ValueVectorSet & set, const ValueVectorSet * other = nullptr) {
    return json::parse(geometry_json(set, other));
}

TEST(Geometry, HoldsTheCosinesOfEveryPair) {
    const ValueVectorSet set = make_set({"b", "a", "c"}, 2, 12, 1);
    const json found = geometry(set);
    EXPECT_EQ(found.at("provenance").at("model_name"), "toy");
    EXPECT_EQ(found.at("values"), json({"b", "a", "c"}));
    EXPECT_EQ(found.at("n_layer"), 2);
    EXPECT_EQ(found.at("n_embd"), 12);
    EXPECT_EQ(found.at("left_out"), json::array());
    EXPECT_FALSE(found.contains("other"));
    ASSERT_EQ(found.at("value_cosine").at("intrinsic").size(), 2);
    ASSERT_EQ(found.at("layer_cosine").size(), 3);
    for (std::size_t layer = 0; layer < 2; ++layer) {
        for (std::size_t i = 0; i < 3; ++i) {
            for (std::size_t j = 0; j < 3; ++j) {
                const auto expect_cosine = [&](const json & table, Condition a, Condition b) {
                    EXPECT_NEAR(table[layer][i][j].get<double>(), cosine(row(set, i, a, layer), row(set, j, b, layer)),
                                six_decimals);
                };
                expect_cosine(found.at("value_cosine").at("intrinsic"), Condition::intrinsic, Condition::intrinsic);
                expect_cosine(found.at("value_cosine").at("prompted"), Condition::prompted, Condition::prompted);
                expect_cosine(found.at("cross_cosine"), Condition::intrinsic, Condition::prompted);
            }
            EXPECT_NEAR(found.at("layer_cosine").at(set.values[i]).at("prompted")[layer][1 - layer].get<double>(),
                        cosine(row(set, i, Condition::prompted, 0), row(set, i, Condition::prompted, 1)), six_decimals);
        }
    }
}

TEST(Geometry, IsRoundedToSixDecimals) {
    ValueVectorSet set = make_set({"a", "b"}, 1, 2, 1);
    for (Condition condition : {Condition::intrinsic, Condition::prompted}) {
        entry_of(set, 0, condition).vector = {1, 0};
        entry_of(set, 1, condition).vector = {1, 2};
    }
    EXPECT_EQ(geometry(set).at("cross_cosine").dump(), "[[[1.0,0.447214],[0.447214,1.0]]]");
    for (Condition condition : {Condition::intrinsic, Condition::prompted}) {
        entry_of(set, 1, condition).vector = {-1e-9F, 1};
    }
    EXPECT_EQ(geometry(set).at("cross_cosine").dump(), "[[[1.0,0.0],[0.0,1.0]]]");
}

TEST(Geometry, AMissingOrZeroVectorIsNullAndNamed) {
    ValueVectorSet set = make_set({"a", "b", "c"}, 2, 5, 1);
    entry_of(set, 1, Condition::prompted).problem = "too few responses";
    entry_of(set, 1, Condition::prompted).vector.clear();
    std::fill_n(entry_of(set, 2, Condition::intrinsic).vector.begin(), 5, 0.0F); // layer 0
    const json found = geometry(set);
    EXPECT_EQ(found.at("left_out"),
              json({{{"value", "b"}, {"condition", "prompted"}, {"reason", "too few responses"}}}));
    EXPECT_TRUE(found.at("layer_cosine").at("b").at("prompted").is_null());
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_TRUE(found.at("value_cosine").at("prompted")[0][i][1].is_null());
        EXPECT_TRUE(found.at("cross_cosine")[1][i][1].is_null());
        EXPECT_TRUE(found.at("value_cosine").at("intrinsic")[0][2][i].is_null());
        EXPECT_TRUE(found.at("value_cosine").at("intrinsic")[1][2][i].is_number());
    }
    EXPECT_TRUE(found.at("value_cosine").at("prompted")[0][0][2].is_number());
    EXPECT_TRUE(found.at("layer_cosine").at("c").at("intrinsic")[1][0].is_null());
    EXPECT_EQ(found.at("layer_cosine").at("c").at("intrinsic")[1][1], 1.0);
}

TEST(Geometry, ComparesModelsOfOneShapeVectorByVector) {
    const ValueVectorSet set = make_set({"a", "b", "c"}, 3, 8, 1);
    ValueVectorSet other = make_set({"c", "a", "b"}, 3, 8, 2);
    entry_of(other, 1, Condition::prompted).vector = set.vectors[1].vector; // a
    std::fill_n(entry_of(other, 2, Condition::prompted).vector.begin(), 8, 0.0F);
    const json found = geometry(set, &other).at("other");
    EXPECT_EQ(found.at("prompted").at("values"), json({"a", "b", "c"}));
    const json & cosines = found.at("prompted").at("cosine");
    ASSERT_EQ(cosines.size(), 3);
    for (std::size_t layer = 0; layer < 3; ++layer) {
        EXPECT_EQ(cosines[layer][0], 1.0);
        EXPECT_NEAR(cosines[layer][2].get<double>(),
                    cosine(row(set, 2, Condition::prompted, layer), row(other, 0, Condition::prompted, layer)),
                    six_decimals);
    }
    EXPECT_TRUE(cosines[0][1].is_null());
    EXPECT_TRUE(cosines[1][1].is_number());
}

TEST(Geometry, AModelIsLikeItself) {
    const ValueVectorSet set = make_set({"a", "b", "c", "d"}, 3, 8, 1);
    const json found = geometry(set, &set).at("other");
    for (const char * condition : {"intrinsic", "prompted"}) {
        EXPECT_EQ(found.at(condition).at("left_out"), json::array());
        ASSERT_EQ(found.at(condition).at("layers").size(), 3);
        for (const json & layer : found.at(condition).at("layers")) {
            EXPECT_EQ(layer.at("n_pairs"), 6);
            EXPECT_EQ(layer.at("pearson"), 1.0);
            EXPECT_EQ(layer.at("spearman"), 1.0);
            EXPECT_EQ(layer.at("layer"), layer.at("other_layer"));
        }
    }
}

TEST(Geometry, ComparesModelsOfOtherWidthAndDepthByTheirMatrices) {
    const ValueVectorSet set = make_set({"a", "b", "c", "d"}, 2, 8, 1);
    // The same vectors with zeros behind, each layer twice.
    ValueVectorSet other = make_set({"a", "b", "c", "d"}, 4, 10, 2);
    for (std::size_t i = 0; i < set.vectors.size(); ++i) {
        for (std::size_t layer = 0; layer < 4; ++layer) {
            const auto from = set.vectors[i].vector.begin() + static_cast<std::ptrdiff_t>(layer / 2 * 8);
            const auto to = other.vectors[i].vector.begin() + static_cast<std::ptrdiff_t>(layer * 10);
            std::fill(std::copy_n(from, 8, to), to + 10, 0.0F);
        }
    }
    const json found = geometry(set, &other).at("other");
    EXPECT_EQ(found.at("n_layer"), 4);
    EXPECT_FALSE(found.at("intrinsic").contains("cosine"));
    EXPECT_EQ(found.at("intrinsic").at("layers")[0].at("other_layer"), 1);
    EXPECT_EQ(found.at("intrinsic").at("layers")[1].at("other_layer"), 3);
    EXPECT_EQ(found.at("intrinsic").at("layers")[1].at("pearson"), 1.0);

    const json back = geometry(other, &set).at("other").at("prompted").at("layers");
    ASSERT_EQ(back.size(), 4);
    std::vector<std::size_t> matched;
    for (const json & layer : back) {
        matched.push_back(layer.at("other_layer"));
    }
    EXPECT_THAT(matched, testing::ElementsAre(0, 0, 1, 1));

    const ValueVectorSet unrelated = make_set({"a", "b", "c", "d"}, 2, 10, 9);
    EXPECT_LT(geometry(set, &unrelated).at("other").at("intrinsic").at("layers")[0].at("pearson"), 0.9);
}

TEST(Geometry, ListsValuesThatOneModelLacks) {
    ValueVectorSet set = make_set({"a", "b", "c", "d"}, 2, 8, 1);
    entry_of(set, 1, Condition::intrinsic).problem = "too few here";
    entry_of(set, 1, Condition::intrinsic).vector.clear();
    ValueVectorSet other = make_set({"c", "b", "a", "e"}, 2, 9, 2);
    entry_of(other, 0, Condition::intrinsic).problem = "too few there";
    entry_of(other, 0, Condition::intrinsic).vector.clear();
    const json found = geometry(set, &other).at("other");
    EXPECT_EQ(found.at("intrinsic").at("values"), json({"a"}));
    EXPECT_EQ(found.at("intrinsic").at("left_out"),
              json::array({{{"value", "b"}, {"reason", "too few here"}},
                           {{"value", "c"}, {"reason", "the other model: too few there"}},
                           {{"value", "d"}, {"reason", "the other model's vectors lack this value"}},
                           {{"value", "e"}, {"reason", "only the other model's vectors have this value"}}}));
    EXPECT_EQ(found.at("prompted").at("values"), json({"a", "b", "c"}));
    // One value makes no pair, three make three.
    EXPECT_EQ(found.at("intrinsic").at("layers")[0].at("n_pairs"), 0);
    EXPECT_TRUE(found.at("intrinsic").at("layers")[0].at("pearson").is_null());
    EXPECT_EQ(found.at("prompted").at("layers")[0].at("n_pairs"), 3);
    EXPECT_TRUE(found.at("prompted").at("layers")[0].at("spearman").is_number());
}

} // namespace
} // namespace valuelens
