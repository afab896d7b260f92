#include "support/golden.h"

#include <gtest/gtest.h>

#include "decompose/scene_vectors.h"
#include "math/vector_ops.h"

namespace valuelens {
namespace {

/// Means and reference come in float32; the reference computes in float64 from there.
constexpr double angle_tolerance = 1e-6;
constexpr double relative_tolerance = 1e-5;

TEST(GoldenAxes, AgreeWithTheIndependentReference) {
    if (!std::filesystem::exists(test::shared_dir() / "golden" / "smollm2-135m-instruct.safetensors")) {
        GTEST_SKIP() << "no golden files in " << test::shared_dir();
    }
    const test::Golden golden = test::Golden::load();
    const auto & shape = golden.shapes.at("resid_post_mean");
    const auto n_layer = static_cast<std::size_t>(shape[1]);
    const auto n_embd = static_cast<std::size_t>(shape[2]);
    Scene scene{MemorySource(n_layer, n_embd), {}, {"benevolence"}};
    const std::vector<float> & means = golden.tensors.at("resid_post_mean");
    for (std::size_t row = 0; row < static_cast<std::size_t>(shape[0]); ++row) {
        const auto & conversation = golden.json.at("conversations").at(row);
        const float * first = means.data() + row * n_layer * n_embd;
        scene.source.rows.emplace_back(first, first + n_layer * n_embd);
        scene.responses.push_back({row,
                                   conversation.at("user"),
                                   condition_from_string(conversation.at("condition")),
                                   {{0, conversation.at("expresses").get<bool>()}}});
    }
    const AxisSet set = decompose(scene_vectors(scene));
    const ValueAxes & axes = set.axes.at(0);
    ASSERT_EQ(axes.problem, "");

    const auto reference = [&](const char * name, std::size_t layer) {
        return std::span(golden.tensors.at(name)).subspan(layer * n_embd, n_embd);
    };
    const auto difference = [&](const std::vector<float> & tensor, const char * name, std::size_t layer) {
        std::vector<double> rest;
        for (std::size_t j = 0; j < n_embd; ++j) {
            rest.push_back(double(tensor[layer * n_embd + j]) - double(reference(name, layer)[j]));
        }
        return norm(rest) / norm(reference(name, layer));
    };
    for (std::size_t layer = 0; layer < n_layer; ++layer) {
        EXPECT_GT(cosine(row_of(set, axes.shared, layer), reference("u_shared", layer)), 1 - angle_tolerance);
        EXPECT_GT(cosine(row_of(set, axes.intrinsic, layer), reference("u_intrinsic", layer)), 1 - angle_tolerance);
        EXPECT_LT(cosine(row_of(set, axes.prompted, layer), reference("u_intrinsic", layer)), angle_tolerance - 1);
        EXPECT_LT(difference(axes.intrinsic_orth, "v_intrinsic_orth", layer), relative_tolerance);
        EXPECT_LT(difference(axes.prompted_orth, "v_prompted_orth", layer), relative_tolerance);
        const std::vector<float> & sigmas = golden.tensors.at("singular_values");
        EXPECT_NEAR(axes.layers[layer].sigma_1 / double(sigmas[2 * layer]), 1, relative_tolerance);
        EXPECT_NEAR(axes.layers[layer].sigma_2 / double(sigmas[2 * layer + 1]), 1, relative_tolerance);
    }
}

} // namespace
} // namespace valuelens
