// The vectors of a run that kept sums only, against those of the same responses kept one by one.

#include "vectors/from_slice_sums.h"

#include <gtest/gtest.h>

#include <cmath>

#include "contrast/slice_sums.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"
#include "vectors/memory_source.h"

namespace valuelens {
namespace {

/// Sums of the scene's responses, so many to a slice.
std::vector<std::filesystem::path> write_slices(const Scene & scene, const TempFolder & folder, std::size_t size) {
    std::vector<std::filesystem::path> files;
    for (std::size_t first = 0; first < scene.responses.size(); first += size) {
        SliceSums sums(scene.source.n_layer(), scene.source.n_embd());
        for (std::size_t i = first; i < std::min(first + size, scene.responses.size()); ++i) {
            const LabelledResponse & response = scene.responses[i];
            const std::vector<float> & row = scene.source.rows[response.row];
            sums.add_response(scene.source.id(response.row), row);
            for (const auto & [value, expresses] : response.labels) {
                sums.add_label(scene.values[value], response.condition, expresses, row);
            }
        }
        files.push_back(folder / fmt::format("sums-{}.safetensors", files.size()));
        sums.write(files.back(), scene.source.provenance());
    }
    return files;
}

TEST(VectorsFromSliceSums, AreThoseOfTheResponses) {
    const Scene scene = make_scene(60, 2, 4.0);
    const TempFolder folder;
    VectorOptions options;
    options.bootstraps = 100;
    const ValueVectorSet whole = compute(scene, options);
    const ValueVectorSet set = vectors_from_slice_sums(write_slices(scene, folder, 12), scene.values, options);
    ASSERT_EQ(set.vectors.size(), whole.vectors.size());
    EXPECT_EQ(set.n_responses, whole.n_responses);
    for (std::size_t i = 0; i < set.vectors.size(); ++i) {
        const ValueVector & mine = set.vectors[i];
        const ValueVector & theirs = whole.vectors[i];
        EXPECT_EQ(mine.value, theirs.value);
        EXPECT_EQ(mine.condition, theirs.condition);
        EXPECT_EQ(mine.n_expressing, theirs.n_expressing);
        EXPECT_EQ(mine.n_not_expressing, theirs.n_not_expressing);
        for (std::size_t k = 0; k < theirs.vector.size(); ++k) {
            EXPECT_NEAR(mine.vector[k], theirs.vector[k], 1e-5);
        }
        for (std::size_t layer = 0; layer < set.n_layer; ++layer) {
            EXPECT_NEAR(mine.norm[layer].value, theirs.norm[layer].value, 1e-5);
            // Slices of four queries resampled, instead of queries: as wide, within the noise of few groups.
            const double width = mine.norm[layer].high - mine.norm[layer].low;
            const double reference = theirs.norm[layer].high - theirs.norm[layer].low;
            EXPECT_GT(width, reference / 2.5);
            EXPECT_LT(width, reference * 2.5);
            EXPECT_NEAR(mine.split_half_cosine[layer], theirs.split_half_cosine[layer], 0.1);
            EXPECT_TRUE(std::isnan(mine.auroc[layer].value));
        }
    }
    for (std::size_t i = 0; i < set.condition_cosine.size(); ++i) {
        EXPECT_NEAR(set.condition_cosine[i].value, whole.condition_cosine[i].value, 1e-5);
        EXPECT_LE(set.condition_cosine[i].low, set.condition_cosine[i].value);
    }
    for (std::size_t layer = 0; layer < set.n_layer; ++layer) {
        EXPECT_NEAR(set.resid_norm[layer], whole.resid_norm[layer], 1e-4);
    }
    EXPECT_THAT(set.notes, testing::Contains(testing::HasSubstr("no AUROC")));
}

TEST(VectorsFromSliceSums, OneSliceGivesNoIntervals) {
    const Scene scene = make_scene(30, 1, 4.0);
    const TempFolder folder;
    const ValueVectorSet set = vectors_from_slice_sums(write_slices(scene, folder, 1000), scene.values, {});
    EXPECT_FALSE(std::isnan(set.vectors[0].norm[0].value));
    EXPECT_TRUE(std::isnan(set.vectors[0].norm[0].low));
    EXPECT_TRUE(std::isnan(set.vectors[0].split_half_cosine[0]));
    EXPECT_THAT(set.notes, testing::Contains(testing::HasSubstr("fewer than the 8")));
}

TEST(VectorsFromSliceSums, TooFewIsNamed) {
    const Scene scene = make_scene(30, 1, 4.0);
    const TempFolder folder;
    VectorOptions options;
    options.min_count = 1000;
    expect_error(ErrorKind::bad_input, {"value0", "intrinsic", "1000"},
                 [&] { vectors_from_slice_sums(write_slices(scene, folder, 12), scene.values, options); });
}

} // namespace
} // namespace valuelens
