#include "decompose/decompose.h"

#include "base/file.h"
#include "decompose/compliance.h"
#include "decompose/scene_vectors.h"
#include "math/vector_ops.h"
#include "store/activations.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"

namespace valuelens {
namespace {

using testing::HasSubstr;

std::vector<float> random_floats(std::size_t n, std::uint64_t seed) {
    Rng rng(seed);
    std::vector<float> result(n);
    for (float & x : result) {
        x = static_cast<float>(rng.normal());
    }
    return result;
}

TEST(Decompose, ComplianceIsTheMeanOfTheRawDeltas) {
    const ValueVectorSet vectors = hand_vectors(1, {{1, 0, 0}, {3, 4, 0}, {0, 2, 0}, {0, 2, 5}, {1, 1, 1}, {2, 1, 1}});
    for (const bool normalize : {false, true}) {
        DecomposeOptions options = quick_options();
        options.normalize = normalize;
        const AxisSet set = decompose(vectors, options);
        EXPECT_EQ(set.compliance, (std::vector<float>{1, 4 / 3.0f, 5 / 3.0f}));
        const RowMatrix deltas{{2.0, 4.0, 0.0}, {0.0, 0.0, 5.0}, {1.0, 0.0, 0.0}};
        const ComplianceStatistics expected = compliance_statistics(deltas);
        EXPECT_NEAR(set.compliance_layers[0].explained.value, expected.explained, 1e-12);
        EXPECT_NEAR(set.compliance_layers[0].explained_unit.value, expected.explained_unit, 1e-12);
        EXPECT_NEAR(set.compliance_layers[0].mean_cosine.value, expected.mean_cosine, 1e-12);
        EXPECT_TRUE(std::isfinite(set.compliance_layers[0].explained_null.mean));
        EXPECT_TRUE(std::isnan(set.compliance_layers[0].explained.low));
    }
}

TEST(Decompose, OneValueHasAxesButNoComplianceDirection) {
    const AxisSet set = decompose(hand_vectors(2, {random_floats(8, 1), random_floats(8, 2)}));
    EXPECT_EQ(set.axes[0].problem, "");
    EXPECT_FALSE(all_nan(row_of(set, set.axes[0].shared, 1)));
    EXPECT_TRUE(all_nan(set.compliance));
    EXPECT_TRUE(std::isnan(set.compliance_layers[1].explained.value));
}

TEST(Decompose, PromptedIsMinusIntrinsicAndAllIsCopied) {
    ValueVectorSet vectors = hand_vectors(2, {random_floats(8, 1), random_floats(8, 2)});
    vectors.resid_norm = {1, 2};
    const AxisSet set = decompose(vectors);
    for (std::size_t i = 0; i < 8; ++i) {
        EXPECT_EQ(set.axes[0].prompted[i], -set.axes[0].intrinsic[i]);
    }
    EXPECT_EQ(set.resid_norm, vectors.resid_norm);
    EXPECT_EQ(set.provenance.model_hash, vectors.provenance.model_hash);
    EXPECT_EQ(set.provenance.tool_version, VALUELENS_VERSION);
    EXPECT_EQ(set.values, vectors.values);
}

TEST(Decompose, AMissingConditionIsAProblemOfThatValueAlone) {
    ValueVectorSet vectors =
        hand_vectors(1, {random_floats(4, 1), random_floats(4, 2), random_floats(4, 3), random_floats(4, 4)});
    vectors.vectors[3].problem = "value 'value1', condition prompted: 2 expressing, at least 8 are needed";
    vectors.vectors[3].vector.clear();
    const AxisSet set = decompose(vectors);
    EXPECT_EQ(set.axes[0].problem, "");
    EXPECT_EQ(set.axes[1].problem, vectors.vectors[3].problem);
    EXPECT_TRUE(set.axes[1].shared.empty() && set.axes[1].layers.empty());
    EXPECT_THAT(set.notes, testing::Contains(testing::AllOf(HasSubstr("value1"), HasSubstr("at least 8"))));

    vectors.vectors[0].problem = "value 'value0', condition intrinsic: nothing";
    expect_error(ErrorKind::bad_input, {"no value has both", "value0", "nothing"}, [&] { decompose(vectors); });
}

TEST(Decompose, UndefinedLayersAreNaNCountedAndTheOthersGoOn) {
    std::vector<float> v_int = random_floats(12, 1);
    std::vector<float> v_prompted = random_floats(12, 2);
    for (std::size_t j = 4; j < 8; ++j) {
        v_prompted[j] = 2 * v_int[j]; // layer 1: parallel
        v_int[j + 4] = 0;             // layer 2: zero
    }
    const AxisSet set = decompose(hand_vectors(3, {v_int, v_prompted}));
    const ValueAxes & axes = set.axes[0];
    EXPECT_EQ(axes.layers[0].undefined, "");
    EXPECT_THAT(axes.layers[1].undefined, HasSubstr("parallel"));
    EXPECT_THAT(axes.layers[2].undefined, HasSubstr("zero"));
    EXPECT_FALSE(std::isnan(row_of(set, axes.shared, 0)[0]));
    for (const auto * tensor : {&axes.shared, &axes.intrinsic, &axes.prompted}) {
        EXPECT_TRUE(all_nan(row_of(set, *tensor, 1)));
        EXPECT_TRUE(all_nan(row_of(set, *tensor, 2)));
    }
    EXPECT_TRUE(all_nan(row_of(set, axes.prompted_orth, 2)));
    EXPECT_EQ(row_of(set, axes.intrinsic_orth, 2)[0], 0);
    EXPECT_THAT(set.notes, testing::Contains(testing::AllOf(HasSubstr("2 of 3"), HasSubstr("layer 1"))));
}

TEST(Decompose, TheLayerRangeIsResolvedAndChecked) {
    const ValueVectorSet vectors = hand_vectors(8, {random_floats(32, 1), random_floats(32, 2)});
    EXPECT_EQ(decompose(vectors).options.first_layer, 2u);
    EXPECT_EQ(decompose(vectors).options.last_layer, 5u);
    DecomposeOptions options = quick_options();
    options.first_layer = 0;
    options.last_layer = 8;
    expect_error(ErrorKind::usage, {"0-8", "0-7"}, [&] { decompose(vectors, options); });
}

TEST(Decompose, OptionsOutOfRangeAreUsageErrors) {
    const ValueVectorSet vectors = hand_vectors(1, {random_floats(4, 1), random_floats(4, 2)});
    DecomposeOptions options;
    options.confidence = 95;
    expect_error(ErrorKind::usage, {"confidence", "95"}, [&] { decompose(vectors, options); });
    options = {};
    options.resample_groups = 1;
    expect_error(ErrorKind::usage, {"resample_groups"}, [&] { decompose(vectors, options); });
    expect_error(ErrorKind::usage, {"labels", "activations"}, [&] {
        DecomposeSource source;
        source.activations = {"a.safetensors"};
        decompose_vectors(vectors, ConceptSet{}, {}, source);
    });
}

TEST(Decompose, AStopRequestInterrupts) {
    const ValueVectorSet vectors = hand_vectors(1, {random_floats(4, 1), random_floats(4, 2)});
    std::stop_source stop;
    stop.request_stop();
    expect_error(ErrorKind::interrupted, {"stopped"},
                 [&] { decompose_vectors(vectors, ConceptSet{}, {}, nullptr, silent_progress(), stop.get_token()); });
}

TEST(Decompose, CirclesComeFromTheConceptSet) {
    std::vector<std::vector<float>> vectors;
    ConceptSet concepts;
    for (std::size_t value = 0; value < 5; ++value) {
        vectors.push_back(random_floats(40, 2 * value));
        vectors.push_back(random_floats(40, 2 * value + 1));
        Concept & concept_ = concepts.concepts.emplace_back();
        concept_.id = fmt::format("value{}", value);
        concept_.angle = 72.0 * static_cast<double>(value);
    }
    const AxisSet set = decompose_vectors(hand_vectors(2, vectors), concepts, quick_options(), nullptr);
    ASSERT_EQ(set.circles.size(), 3u);
    EXPECT_EQ(set.circles[0].layers.size(), 2u);
    EXPECT_TRUE(std::isfinite(set.circles[0].range.even.r_squared));
    EXPECT_TRUE(decompose(hand_vectors(2, vectors)).circles.empty());
}

TEST(Decompose, FilesGiveWhatMemoryGives) {
    const TempFolder folder;
    const Scene scene = make_scene(30, 2, 2.0);
    ActivationWriter writer(folder / "a.safetensors", {scene.source.n_layer(), scene.source.n_embd(), 0, 0},
                            scene.source.provenance(), ActivationFormat::f32, scene.source.ids);
    std::string labels;
    for (const LabelledResponse & response : scene.responses) {
        writer.write(response.row, scene.source.rows[response.row]);
        for (const auto & [value, expresses] : response.labels) {
            labels += fmt::format(R"({{"id": "{}", "value": "{}", "condition": "{}", "expresses": {}, "query": "{}"}})"
                                  "\n",
                                  scene.source.ids[response.row], scene.values[value], to_string(response.condition),
                                  expresses, response.query);
        }
    }
    writer.commit();
    labels += R"({"id": "ghost", "value": "value0", "condition": "intrinsic", "expresses": true})"
              "\n";
    write_file(folder / "labels.jsonl", labels);
    const ValueVectorSet vectors = scene_vectors(scene);
    const AxisSet expected = decompose(scene, vectors);
    const AxisSet set = decompose_vectors(vectors, ConceptSet{}, quick_options(),
                                          {{folder / "a.safetensors"}, folder / "labels.jsonl"});
    EXPECT_EQ(set.axes[1].shared, expected.axes[1].shared);
    EXPECT_EQ(set.axes[1].layers[2].cosine.low, expected.axes[1].layers[2].cosine.low);
    EXPECT_EQ(set.compliance_layers[0].explained.high, expected.compliance_layers[0].explained.high);
    EXPECT_FALSE(std::isnan(set.axes[1].layers[2].cosine.low));
    EXPECT_THAT(set.notes, testing::Contains(HasSubstr("'ghost'")));
}

} // namespace
} // namespace valuelens
