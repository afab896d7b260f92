#include <cmath>

#include "store/provenance.h"
#include "store/safetensors.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"
#include "vectors/memory_source.h"

namespace valuelens {
namespace {

void expect_same(const Estimate & a, const Estimate & b) {
    const auto same = [](double x, double y) {
        return x == y || (std::isnan(x) && std::isnan(y));
    };
    EXPECT_TRUE(same(a.value, b.value) && same(a.low, b.low) && same(a.high, b.high)) << a.value << " " << b.value;
}

TEST(VectorsFile, RoundTripsEverything) {
    Scene scene = make_scene(40, 2, 1.0);
    for (LabelledResponse & response : scene.responses) { // one problem, so that NaN and absent tensors are there
        if (response.condition == Condition::prompted && response.labels[0].first == 1) {
            response.labels[0].second = false;
        }
    }
    VectorOptions options;
    options.seed = 17;
    options.bootstraps = 30;
    ValueVectorSet set = compute(scene, options);
    set.notes = {"2 labels have no activations"};
    const TempFolder folder;
    write_value_vectors(folder / "v.safetensors", set);
    const ValueVectorSet back = read_value_vectors(folder / "v.safetensors");

    EXPECT_EQ(back.values, set.values);
    EXPECT_EQ(back.notes, set.notes);
    EXPECT_EQ(back.n_layer, set.n_layer);
    EXPECT_EQ(back.n_embd, set.n_embd);
    EXPECT_EQ(back.n_responses, set.n_responses);
    EXPECT_EQ(back.n_queries, 40u);
    EXPECT_EQ(back.resid_norm, set.resid_norm);
    EXPECT_EQ(back.options.seed, 17u);
    EXPECT_EQ(back.options.bootstraps, 30u);
    EXPECT_EQ(back.provenance.model_name, "toy");
    EXPECT_EQ(back.provenance.tool_version, VALUELENS_VERSION);
    ASSERT_EQ(back.vectors.size(), 4u);
    for (std::size_t i = 0; i < 4; ++i) {
        const ValueVector & a = set.vectors[i];
        const ValueVector & b = back.vectors[i];
        EXPECT_EQ(a.value, b.value);
        EXPECT_EQ(a.condition, b.condition);
        EXPECT_EQ(a.problem, b.problem);
        EXPECT_EQ(a.note, b.note);
        EXPECT_EQ(a.vector, b.vector);
        EXPECT_EQ(a.n_expressing, b.n_expressing);
        EXPECT_EQ(a.n_held_out_not_expressing, b.n_held_out_not_expressing);
        EXPECT_EQ(a.split_half_cosine, b.split_half_cosine);
        ASSERT_EQ(a.norm.size(), b.norm.size());
        for (std::size_t layer = 0; layer < a.norm.size(); ++layer) {
            expect_same(a.norm[layer], b.norm[layer]);
            expect_same(a.auroc[layer], b.auroc[layer]);
        }
    }
    for (std::size_t i = 0; i < set.condition_cosine.size(); ++i) {
        expect_same(set.condition_cosine[i], back.condition_cosine.at(i));
    }
    EXPECT_FALSE(SafetensorsFile(folder / "v.safetensors").contains("value1/prompted"));
}

class ForeignVectors : public testing::Test {
protected:
    const TempFolder folder;
    const std::vector<float> numbers = std::vector<float>(12, 0.5f);
    std::map<std::string, std::string> metadata =
        provenance_metadata({"toy", "hash", "resid_post", "0-based block output", "1"});

    std::filesystem::path write(const std::vector<std::pair<std::string, std::vector<std::size_t>>> & shapes) const {
        std::vector<FloatTensor> tensors;
        for (const auto & [name, shape] : shapes) {
            std::size_t count = 1;
            for (const std::size_t n : shape) {
                count *= n;
            }
            tensors.push_back({name, shape, std::span(numbers).first(count)});
        }
        write_safetensors(folder / "v.safetensors", tensors, metadata);
        return folder / "v.safetensors";
    }
};

TEST_F(ForeignVectors, WithoutStatsAreTakenWithTheirTensorsAlone) {
    const ValueVectorSet set =
        read_value_vectors(write({{"b/intrinsic", {3, 4}}, {"b/prompted", {3, 4}}, {"a/prompted", {3, 4}}}));
    EXPECT_EQ(set.values, (std::vector<std::string>{"b", "a"}));
    ASSERT_EQ(set.vectors.size(), 4u);
    EXPECT_EQ(set.vectors[1].vector, numbers);
    EXPECT_NE(set.vectors[2].problem, "");
    EXPECT_TRUE(set.resid_norm.empty());
    EXPECT_TRUE(std::isnan(set.vectors[0].norm.at(2).value));
    EXPECT_EQ(set.condition_cosine.size(), 6u);
}

TEST_F(ForeignVectors, ShapesThatDoNotFitAreNamed) {
    expect_error(ErrorKind::bad_input, {"v.safetensors", "a/prompted", "2, 4"}, [&] {
        read_value_vectors(write({{"a/intrinsic", {3, 4}}, {"a/prompted", {2, 4}}}));
    });
    expect_error(ErrorKind::bad_input, {"a/intrinsic", "12"}, [&] {
        read_value_vectors(write({{"a/intrinsic", {12}}}));
    });
    expect_error(ErrorKind::bad_input, {"resid_norm", "2"}, [&] {
        read_value_vectors(write({{"a/intrinsic", {3, 4}}, {"resid_norm", {2}}}));
    });
    expect_error(ErrorKind::bad_input, {"resid_post", "<value>/intrinsic"}, [&] {
        read_value_vectors(write({{"resid_post", {3, 4}}}));
    });
}

TEST_F(ForeignVectors, BrokenStatsAreAnError) {
    for (const char * stats : {"{", "[]", "{\"values\": [\"a\"]}"}) {
        metadata["stats"] = stats;
        expect_error(ErrorKind::bad_input, {"v.safetensors", "stats"}, [&] {
            read_value_vectors(write({{"a/intrinsic", {3, 4}}}));
        });
    }
}

TEST_F(ForeignVectors, StatsThatDoNotFitTheTensorsAreAnError) {
    write_value_vectors(folder / "good.safetensors", compute(make_scene(40, 1, 1.0)));
    metadata["stats"] = SafetensorsFile(folder / "good.safetensors").metadata().at("stats");
    expect_error(ErrorKind::bad_input, {"value0/prompted"}, [&] {
        read_value_vectors(write({{"value0/intrinsic", {2, 4}}}));
    });
    expect_error(ErrorKind::bad_input, {"stats", "3 entries", "expected 2"}, [&] {
        read_value_vectors(write({{"value0/intrinsic", {2, 4}}, {"value0/prompted", {2, 4}}}));
    });
}

} // namespace
} // namespace valuelens
