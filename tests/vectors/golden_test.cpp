#include <filesystem>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "math/vector_ops.h"
#include "store/safetensors.h"
#include "vectors/memory_source.h"

namespace valuelens {
namespace {

TEST(GoldenVectors, AgreeWithTheIndependentReference) {
    const std::filesystem::path folder = std::filesystem::path(VALUELENS_SHARED_DIR) / "golden";
    if (!std::filesystem::exists(folder / "smollm2-135m-instruct.safetensors")) {
        GTEST_SKIP() << "no golden files in " << folder;
    }
    const SafetensorsFile file(folder / "smollm2-135m-instruct.safetensors");
    const auto json = nlohmann::json::parse(read_file(folder / "smollm2-135m-instruct.json"));
    const std::vector<std::size_t> shape = file.find("resid_post_mean").shape;
    const std::vector<float> means = file.read_f32("resid_post_mean");

    Scene scene{MemorySource(shape[1], shape[2]), {}, {"benevolence"}};
    for (std::size_t row = 0; row < shape[0]; ++row) {
        const auto & conversation = json.at("conversations").at(row);
        const float * first = means.data() + row * shape[1] * shape[2];
        scene.source.rows.emplace_back(first, first + shape[1] * shape[2]);
        scene.responses.push_back({row,
                                   conversation.at("user"),
                                   condition_from_string(conversation.at("condition")),
                                   {{0, conversation.at("expresses").get<bool>()}}});
    }
    VectorOptions options;
    options.min_count = 1;
    const ValueVectorSet set = compute(scene, options);

    constexpr double tolerance = 1e-5; // of the length of the vector: float storage of means and of the reference
    for (const ValueVector & entry : set.vectors) {
        const std::vector<float> expected = file.read_f32(std::string("v_") + to_string(entry.condition));
        ASSERT_EQ(entry.vector.size(), expected.size());
        for (std::size_t layer = 0; layer < set.n_layer; ++layer) {
            std::vector<double> difference;
            for (std::size_t i = layer * set.n_embd; i < (layer + 1) * set.n_embd; ++i) {
                difference.push_back(double(entry.vector[i]) - double(expected[i]));
            }
            const double length = norm(std::span(expected).subspan(layer * set.n_embd, set.n_embd));
            EXPECT_LT(norm(difference), tolerance * length) << to_string(entry.condition) << " layer " << layer;
            EXPECT_NEAR(entry.norm[layer].value, length, tolerance * length);
        }
    }
}

} // namespace
} // namespace valuelens
