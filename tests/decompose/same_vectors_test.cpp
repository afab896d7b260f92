#include "decompose/same_vectors.h"

#include <gtest/gtest.h>

#include "decompose/scene_vectors.h"
#include "support/expect_error.h"

namespace valuelens {
namespace {

class SameVectors : public testing::Test {
protected:
    Scene scene = make_scene(30, 2, 2.0);
    ValueVectorSet vectors = scene_vectors(scene);

    void expect_refused(const std::vector<std::string> & words) const {
        expect_error(ErrorKind::bad_input, words, [&] { decompose(scene, vectors); });
    }
};

TEST_F(SameVectors, TheOnesTheyCameFromAreTaken) {
    EXPECT_NO_THROW(decompose(scene, vectors));
    for (float & x : vectors.vectors[2].vector) {
        x *= 1.0005f; // another format of activations
    }
    EXPECT_NO_THROW(decompose(scene, vectors));
}

TEST_F(SameVectors, OtherVectorsAreRefusedWithTheDifference) {
    for (std::size_t j = 16; j < 32; ++j) {
        vectors.vectors[1].vector[j] *= 1.1f;
    }
    expect_refused({"scene", "'value0'", "prompted", "layer 1", "0.0909", "computed from"});
}

TEST_F(SameVectors, OtherLabelsAreRefusedWithTheCounts) {
    for (LabelledResponse & response : scene.responses) {
        if (response.condition == Condition::intrinsic && !response.labels[0].second) {
            response.labels[0].second = true;
            break;
        }
    }
    expect_refused(
        {"'value0'", "intrinsic",
         fmt::format("rests on {} and {}", vectors.vectors[0].n_expressing, vectors.vectors[0].n_not_expressing)});
}

TEST_F(SameVectors, AMissingClassIsRefused) {
    std::erase_if(scene.responses,
                  [](const LabelledResponse & response) { return response.condition == Condition::prompted; });
    expect_refused({"'value0'", "prompted", "missing"});
}

TEST_F(SameVectors, ActivationsThatAreNotFiniteAreRefused) {
    scene.source.rows[0][20] = NAN;
    expect_refused({"'value0'", "intrinsic", "layer 1"});
}

TEST_F(SameVectors, AnotherModelOrPlaceIsRefused) {
    const ValueVectorSet good = vectors;
    vectors.provenance.model_hash = std::string(64, 'b');
    vectors.provenance.model_name = "other";
    expect_refused({"scene", "toy", "aaaaaaaaaaaa", "other", "bbbbbbbbbbbb"});
    vectors = good;
    vectors.provenance.location = "attn_out";
    expect_refused({"resid_post", "attn_out"});
}

TEST_F(SameVectors, AnotherShapeIsRefused) {
    scene = make_scene(30, 2, 2.0, 1, 4);
    expect_refused({"4 layers of 16", "3 of 16"});
}

} // namespace
} // namespace valuelens
