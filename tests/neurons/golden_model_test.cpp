// Neurons of a real model against the reference (PyTorch, float32 weights, projections in float64).

#include <gtest/gtest.h>

#include <cmath>

#include "support/golden.h"
#include "valuelens/model.h"
#include "valuelens/neurons.h"

namespace valuelens {
namespace {

using test::Golden;

constexpr double norm_tolerance = 1e-4;  ///< relative
constexpr double angle_tolerance = 0.05; ///< degrees

class GoldenNeurons : public testing::Test {
protected:
    void SetUp() override {
        if (!std::filesystem::exists(test::shared_dir() / "golden")) {
            GTEST_SKIP() << "no reference data at " << test::shared_dir();
        }
        golden_ = Golden::load();
        path_ = test::cached_model("smollm2-135m", "f32");
        ASSERT_FALSE(path_.empty()) << "smollm2-135m-f32 is not in the cache: `make test` fetches it";
        n_layer_ = golden_.json["n_layer"].get<std::size_t>();
        n_ff_ = golden_.json["n_ff"].get<std::size_t>();
        axes_.provenance.model_hash = model_identity(path_);
        axes_.n_layer = n_layer_;
        axes_.n_embd = golden_.json["n_embd"].get<std::size_t>();
        axes_.values = {"golden"};
        axes_.axes.push_back({.value = "golden",
                              .shared = golden_.tensors.at("u_shared"),
                              .intrinsic = golden_.tensors.at("u_intrinsic")});
    }

    Golden golden_;
    std::string path_;
    std::size_t n_layer_ = 0;
    std::size_t n_ff_ = 0;
    AxisSet axes_;
};

TEST_F(GoldenNeurons, AllHaveTheReferenceNormsAndAngles) {
    const NeuronTable table = find_neurons(path_, axes_, {.top_percent = 100, .null_draws = 0});
    ASSERT_EQ(table.neurons.size(), n_layer_ * n_ff_);
    const std::vector<float> & norms = golden_.tensors.at("neuron_norm");    // [n_layer, n_ff]
    const std::vector<float> & angles = golden_.tensors.at("neuron_angles"); // [n_layer, 3, n_ff]
    double worst_norm = 0;
    double worst_angle = 0;
    for (const ValueNeuron & neuron : table.neurons) {
        const auto layer = static_cast<std::size_t>(neuron.id.layer);
        const auto i = static_cast<std::size_t>(neuron.id.neuron);
        const auto expected = static_cast<double>(norms[layer * n_ff_ + i]);
        worst_norm = std::max(worst_norm, std::abs(neuron.norm - expected) / expected);
        const double found[] = {neuron.angle_shared, neuron.angle_intrinsic, neuron.angle_prompted};
        for (std::size_t axis = 0; axis < 3; ++axis) {
            const auto angle = static_cast<double>(angles[(layer * 3 + axis) * n_ff_ + i]);
            worst_angle = std::max(worst_angle, std::abs(found[axis] - angle));
        }
    }
    EXPECT_LT(worst_norm, norm_tolerance);
    EXPECT_LT(worst_angle, angle_tolerance);
    RecordProperty("worst_norm", std::to_string(worst_norm));
    RecordProperty("worst_angle", std::to_string(worst_angle));
}

TEST_F(GoldenNeurons, CategoriesOfTheTopPercentAreCountedAlike) {
    const NeuronTable table = find_neurons(path_, axes_, {.null_draws = 4});
    const auto & expected = golden_.json["category_counts_top1pct_all_layers"];
    for (const NeuronCategory category :
         {NeuronCategory::shared, NeuronCategory::intrinsic, NeuronCategory::prompted, NeuronCategory::none}) {
        EXPECT_EQ(table.counts[0][static_cast<std::size_t>(category)].count,
                  expected[to_string(category)].get<std::size_t>())
            << to_string(category);
    }
    EXPECT_EQ(table.neurons.size(), expected["selected"].get<std::size_t>());
}

} // namespace
} // namespace valuelens
