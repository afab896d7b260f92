// From the reference's transcripts to neurons, as a user goes: capture, vectors, decompose, neurons, each from the
// files of the one before, against what PyTorch computed.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "math/vector_ops.h"
#include "pipeline/capture_file.h"
#include "support/golden.h"
#include "support/temp_folder.h"
#include "valuelens/decompose.h"
#include "valuelens/neurons.h"
#include "valuelens/vectors.h"

namespace valuelens {
namespace {

using nlohmann::json;

class GoldenChain : public testing::Test {
protected:
    void SetUp() override {
        if (!std::filesystem::exists(test::shared_dir() / "golden")) {
            GTEST_SKIP() << "no reference data at " << test::shared_dir();
        }
        model = test::cached_model("smollm2-135m", "f32");
        ASSERT_FALSE(model.empty()) << "smollm2-135m-f32 is not in the cache: `make test` fetches it";
        golden = test::Golden::load();
        std::string transcripts;
        std::string labels;
        std::size_t i = 0;
        for (const json & each : golden.json["conversations"]) {
            const std::string id = fmt::format("c{}", i++);
            transcripts +=
                json{{"id", id}, {"system", each["system"]}, {"user", each["user"]}, {"response", each["response"]}}
                    .dump() +
                "\n";
            labels +=
                json{
                    {"id", id}, {"value", "golden"}, {"condition", each["condition"]}, {"expresses", each["expresses"]}}
                    .dump() +
                "\n";
        }
        write_file(folder / "transcripts.jsonl", transcripts);
        write_file(folder / "labels.jsonl", labels);
    }

    double cosine_with(const std::vector<float> & mine, const char * name, std::size_t layer) const {
        const std::size_t n_embd = golden.json["n_embd"];
        return cosine(std::span(mine).subspan(layer * n_embd, n_embd),
                      std::span(golden.tensors.at(name)).subspan(layer * n_embd, n_embd));
    }

    std::string model;
    test::Golden golden;
    TempFolder folder;
};

TEST_F(GoldenChain, EndsWithTheReferencesNeurons) {
    CaptureFileOptions capture;
    capture.model.path = model;
    capture.model.threads = 1;
    capture.input = folder / "transcripts.jsonl";
    capture.output = folder / "acts.safetensors";
    capture_file(capture);
    VectorOptions options;
    options.min_count = 1;
    options.bootstraps = 20;
    write_value_vectors(folder / "vectors.safetensors",
                        vectors_from_files({folder / "acts.safetensors"}, folder / "labels.jsonl", {}, options));
    DecomposeOptions decompose;
    decompose.bootstraps = 20;
    write_axes(folder / "axes.safetensors",
               decompose_vectors(read_value_vectors(folder / "vectors.safetensors"), ConceptSet{}, decompose,
                                 DecomposeSource{{folder / "acts.safetensors"}, folder / "labels.jsonl"}));
    const AxisSet axes = read_axes(folder / "axes.safetensors");
    for (std::size_t layer = 0; layer < axes.n_layer; ++layer) {
        EXPECT_GT(cosine_with(axes.axes[0].shared, "u_shared", layer), 1 - 1e-6) << layer;
        EXPECT_GT(cosine_with(axes.axes[0].intrinsic, "u_intrinsic", layer), 1 - 1e-6) << layer;
        const auto sigma = [&](std::size_t i) {
            return static_cast<double>(golden.tensors.at("singular_values")[layer * 2 + i]);
        };
        EXPECT_NEAR(axes.axes[0].layers[layer].sigma_1 / sigma(0), 1, 1e-5) << layer;
        EXPECT_NEAR(axes.axes[0].layers[layer].sigma_2 / sigma(1), 1, 1e-5) << layer;
    }
    const NeuronTable table = find_neurons(model, axes, {.null_draws = 0});
    const json & counts = golden.json["category_counts_top1pct_all_layers"];
    for (const NeuronCategory category :
         {NeuronCategory::shared, NeuronCategory::intrinsic, NeuronCategory::prompted, NeuronCategory::none}) {
        EXPECT_EQ(table.counts[0][static_cast<std::size_t>(category)].count, counts[to_string(category)]);
    }
    EXPECT_EQ(table.neurons.size(), counts["selected"]);
}

} // namespace
} // namespace valuelens
