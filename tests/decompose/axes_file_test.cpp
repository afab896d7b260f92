#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "decompose/axes_json.h"
#include "decompose/scene_vectors.h"
#include "store/provenance.h"
#include "store/safetensors.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"

namespace valuelens {
namespace {

/// Equal element by element, NaN equal to NaN.
void expect_same(const std::vector<float> & a, const std::vector<float> & b) {
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
        EXPECT_TRUE(a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))) << i << ": " << a[i] << " " << b[i];
    }
}

/// A set that has everything: circles, intervals, a value without axes, undefined layers.
AxisSet full_set() {
    Scene scene = make_scene(30, 5, 2.0);
    for (LabelledResponse & response : scene.responses) {
        const bool of_last = response.labels[0].first == 4;
        if (response.condition == Condition::prompted && of_last) {
            response.labels.clear();
        }
    }
    ValueVectorSet vectors = scene_vectors(scene);
    vectors.vectors[9].problem = "value 'value4', condition prompted: no responses";
    vectors.vectors[9].vector.clear();
    ConceptSet concepts;
    for (std::size_t value = 0; value < 5; ++value) {
        Concept & concept_ = concepts.concepts.emplace_back();
        concept_.id = vectors.values[value];
        concept_.angle = concept_.wedge = 72.0 * static_cast<double>(value);
    }
    DecomposeOptions options = quick_options();
    options.normalize = true;
    options.seed = 11;
    const ResponseSource source{scene.source, scene.responses, "scene"};
    return decompose_vectors(vectors, concepts, options, &source);
}

TEST(AxesFile, RoundTripsEverything) {
    const TempFolder folder;
    const AxisSet set = full_set();
    write_axes(folder / "axes.safetensors", set);
    const AxisSet back = read_axes(folder / "axes.safetensors");
    EXPECT_EQ(back.n_layer, set.n_layer);
    EXPECT_EQ(back.n_embd, set.n_embd);
    EXPECT_EQ(provenance_metadata(back.provenance), provenance_metadata(set.provenance));
    ASSERT_EQ(back.axes.size(), 5u);
    for (std::size_t i = 0; i < 5; ++i) {
        expect_same(back.axes[i].shared, set.axes[i].shared);
        expect_same(back.axes[i].intrinsic, set.axes[i].intrinsic);
        expect_same(back.axes[i].prompted, set.axes[i].prompted);
        expect_same(back.axes[i].intrinsic_orth, set.axes[i].intrinsic_orth);
        expect_same(back.axes[i].prompted_orth, set.axes[i].prompted_orth);
    }
    expect_same(back.compliance, set.compliance);
    EXPECT_EQ(back.resid_norm, set.resid_norm);
    EXPECT_EQ(back.axes[4].problem, set.axes[4].problem);
    EXPECT_EQ(back.circles.size(), 3u);
    EXPECT_EQ(back.circles[1].layers[2].plane, set.circles[1].layers[2].plane);
    EXPECT_EQ(back.circles[2].layers[0].nearest, set.circles[2].layers[0].nearest);
    // All else, field by field, is what the text says; a second pass loses nothing.
    EXPECT_EQ(axes_stats(back).dump(), axes_stats(set).dump());
    EXPECT_NE(axes_stats(set).dump().find("stability_unique\":[0."), std::string::npos);
    write_axes(folder / "again.safetensors", back);
    EXPECT_EQ(read_file(folder / "again.safetensors"), read_file(folder / "axes.safetensors"));
}

TEST(AxesFile, HasTheTensorsOfTheContract) {
    const TempFolder folder;
    const AxisSet set = full_set();
    write_axes(folder / "axes.safetensors", set);
    const SafetensorsFile file(folder / "axes.safetensors");
    const std::vector<std::size_t> shape{3, 16};
    for (const char * name : {"value0/shared", "value3/intrinsic", "value0/prompted", "value1/intrinsic_orth",
                              "value0/prompted_orth", "compliance"}) {
        EXPECT_EQ(file.find(name).shape, shape) << name;
    }
    EXPECT_EQ(file.find("value2/singular_values").shape, (std::vector<std::size_t>{3, 2}));
    EXPECT_EQ(file.read_f32("value2/singular_values")[3], static_cast<float>(set.axes[2].layers[1].sigma_2));
    EXPECT_EQ(file.find("resid_norm").shape, (std::vector<std::size_t>{3}));
    EXPECT_FALSE(file.contains("value4/shared"));
    EXPECT_EQ(file.metadata().at("model_hash"), std::string(64, 'a'));
}

TEST(AxesFile, UndefinedRowsKeepNaNAndTheirReason) {
    const TempFolder folder;
    const AxisSet set = decompose(hand_vectors(2, {{1, 2, 3, 1, 0, 0}, {2, 4, 6, 0, 2, 0}}));
    write_axes(folder / "axes.safetensors", set);
    const AxisSet back = read_axes(folder / "axes.safetensors");
    EXPECT_EQ(back.axes[0].layers[0].undefined, "the two vectors are parallel");
    EXPECT_EQ(back.axes[0].layers[1].undefined, "");
    EXPECT_TRUE(all_nan(row_of(back, back.axes[0].shared, 0)));
    EXPECT_TRUE(all_nan(row_of(back, back.axes[0].intrinsic_orth, 0)));
    EXPECT_EQ(row_of(back, back.axes[0].shared, 1)[1], 1);
    EXPECT_TRUE(back.resid_norm.empty());
}

class ForeignAxes : public testing::Test {
protected:
    const TempFolder folder;
    const std::vector<float> numbers = {1, 0, 0, 0, 0, 1, 0, 0};
    std::map<std::string, std::string> metadata =
        provenance_metadata({"toy", "hash", "resid_post", "0-based block output", "1"});

    AxisSet read(const std::vector<std::pair<std::string, std::vector<std::size_t>>> & shapes) const {
        std::vector<FloatTensor> tensors;
        for (const auto & [name, shape] : shapes) {
            std::size_t count = 1;
            for (const std::size_t n : shape) {
                count *= n;
            }
            tensors.push_back({name, shape, std::span(numbers).first(count)});
        }
        write_safetensors(folder / "axes.safetensors", tensors, metadata);
        return read_axes(folder / "axes.safetensors");
    }
};

TEST_F(ForeignAxes, AreTakenWithTheirTensorsAlone) {
    const AxisSet set = read({{"b/shared", {2, 4}}, {"b/intrinsic", {2, 4}}, {"b/singular_values", {2, 2}}});
    EXPECT_EQ(set.values, (std::vector<std::string>{"b"}));
    EXPECT_EQ(set.axes.at(0).shared, numbers);
    EXPECT_EQ(set.axes[0].prompted[0], -1);
    EXPECT_TRUE(all_nan(set.axes[0].prompted_orth));
    EXPECT_TRUE(all_nan(set.compliance));
    EXPECT_EQ(set.axes[0].layers.at(0).sigma_1, 1);
    EXPECT_TRUE(std::isnan(set.axes[0].layers[0].cosine.value));
    EXPECT_EQ(set.compliance_layers.size(), 2u);
}

TEST_F(ForeignAxes, WhatDoesNotFitIsNamed) {
    expect_error(ErrorKind::bad_input, {"axes.safetensors", "<value>/shared", "resid_post"}, [&] {
        read({{"resid_post", {2, 4}}});
    });
    expect_error(ErrorKind::bad_input, {"a/intrinsic"}, [&] { read({{"a/shared", {2, 4}}}); });
    expect_error(ErrorKind::bad_input, {"a/intrinsic", "[1, 4]", "[2, 4]"}, [&] {
        read({{"a/shared", {2, 4}}, {"a/intrinsic", {1, 4}}});
    });
    expect_error(ErrorKind::bad_input, {"resid_norm", "[3]", "[2]"}, [&] {
        read({{"a/shared", {2, 4}}, {"a/intrinsic", {2, 4}}, {"resid_norm", {3}}});
    });
    metadata.erase("model_hash");
    expect_error(ErrorKind::bad_input, {"axes.safetensors", "model_hash"}, [&] { read({{"a/shared", {2, 4}}}); });
}

TEST_F(ForeignAxes, BrokenStatsAreOneSentence) {
    const auto with = [&](const std::string & stats) {
        metadata["stats"] = stats;
        return [&] {
            read({{"value0/shared", {2, 4}}, {"value0/intrinsic", {2, 4}}});
        };
    };
    for (const char * stats : {"{", "[]", "{\"values\": [\"a\"]}"}) {
        expect_error(ErrorKind::bad_input, {"axes.safetensors", "stats", "decompose the vectors again"}, with(stats));
    }
    const AxisSet of_three_layers = full_set();
    expect_error(ErrorKind::bad_input, {"stats", "3 entries", "expected 2"}, with(axes_stats(of_three_layers).dump()));
    nlohmann::json bad = axes_stats(decompose(hand_vectors(2, {{1, 2, 3, 1}, {2, 4, 6, 0}})));
    bad["circles"] = {{{"kind", "round"}}};
    expect_error(ErrorKind::bad_input, {"stats", "'round'"}, with(bad.dump()));
}

} // namespace
} // namespace valuelens
