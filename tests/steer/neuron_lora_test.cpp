#include "steer/neuron_lora.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "store/safetensors.h"
#include "support/expect_error.h"
#include "support/gguf_writer.h"
#include "support/temp_folder.h"

namespace valuelens {
namespace {

using testing::ElementsAre;

/// Two blocks, n_embd 2, n_ff 3, W[block][d][i] = 100 block + 10 d + i + 1, with a norm after the MLP.
std::string write_model(const std::filesystem::path & path, const std::string & architecture = "llama") {
    test::GgufWriter gguf(architecture);
    gguf.text("general.name", "tiny");
    gguf.number(architecture + ".block_count", 2);
    gguf.number(architecture + ".embedding_length", 2);
    gguf.number(architecture + ".feed_forward_length", 3);
    for (int block = 0; block < 2; ++block) {
        std::vector<float> weights;
        for (int d = 0; d < 2; ++d) {
            for (int i = 0; i < 3; ++i) {
                weights.push_back(static_cast<float>(100 * block + 10 * d + i + 1));
            }
        }
        gguf.tensor(fmt::format("blk.{}.ffn_down.weight", block), {3, 2}, weights);
        gguf.tensor(fmt::format("blk.{}.post_ffw_norm.weight", block), {2}, std::vector<float>{7, 7});
    }
    return gguf.write(path);
}

TEST(NeuronLora, ColumnsTimesBetaMinusOne) {
    const TempFolder folder;
    const std::string model = write_model(folder / "m.gguf");
    const std::vector<NeuronScale> neurons = {{0, 1, 0.0f}, {1, 0, 3.0f}, {1, 1, 1.0f}, {1, 2, 0.5f}};
    const NeuronLora lora = make_neuron_lora(model, neurons);
    EXPECT_EQ(lora.architecture, "llama");
    EXPECT_EQ(lora.n_neurons, 3u) << "beta 1 changes nothing";
    EXPECT_THAT(lora.layers, ElementsAre(0, 1));
    EXPECT_EQ(lora.pairs[0].weight, "blk.0.ffn_down.weight");
    EXPECT_THAT(lora.pairs[0].a, ElementsAre(0, 1, 0));
    EXPECT_THAT(lora.pairs[0].b, ElementsAre(-2, -12)) << "the norm that follows is not part of the matrix";
    EXPECT_THAT(lora.pairs[1].a, ElementsAre(1, 0, 0, 0, 0, 1));
    EXPECT_THAT(lora.pairs[1].b, ElementsAre(202, -51.5f, 222, -56.5f));
}

TEST(NeuronLora, WhatCannotBeExportedIsNamed) {
    const TempFolder folder;
    const std::string model = write_model(folder / "m.gguf");
    const auto make = [&](const std::vector<NeuronScale> & neurons) {
        make_neuron_lora(model, neurons);
    };
    expect_error(ErrorKind::bad_input, {"nothing to export"}, [&] { make({{0, 1, 1.0f}}); });
    expect_error(ErrorKind::bad_input, {"block 0", "0-2", "3"}, [&] { make({{0, 3, 0.0f}}); });
    expect_error(ErrorKind::model, {"block 2"}, [&] { make({{2, 0, 0.0f}}); });
}

TEST(NeuronLora, PeftFolderHasNamesRanksAndWeights) {
    const TempFolder folder;
    const std::vector<NeuronScale> neurons = {{0, 1, 0.0f}, {1, 0, 3.0f}, {1, 2, 0.5f}};
    const NeuronLora lora = make_neuron_lora(write_model(folder / "m.gguf"), neurons);
    write_neuron_lora_peft(folder / "peft", lora, {});
    const auto config = nlohmann::json::parse(read_file(folder / "peft" / "adapter_config.json"));
    EXPECT_EQ(config["peft_type"], "LORA");
    EXPECT_EQ(config["r"], 2);
    EXPECT_EQ(config["lora_alpha"], 2);
    EXPECT_EQ(config["target_modules"], nlohmann::json({"layers.0.mlp.down_proj", "layers.1.mlp.down_proj"}));
    EXPECT_EQ(config["rank_pattern"], nlohmann::json({{"layers.0.mlp.down_proj", 1}}));
    EXPECT_EQ(config["alpha_pattern"], config["rank_pattern"]);
    const SafetensorsFile file(folder / "peft" / "adapter_model.safetensors");
    EXPECT_EQ(file.metadata().at("format"), "pt");
    const std::string module = "base_model.model.model.layers.1.mlp.down_proj";
    EXPECT_THAT(file.find(module + ".lora_A.weight").shape, ElementsAre(2u, 3u));
    EXPECT_THAT(file.find(module + ".lora_B.weight").shape, ElementsAre(2u, 2u));
    EXPECT_EQ(file.read_f32(module + ".lora_B.weight"), lora.pairs[1].b);
    EXPECT_EQ(file.names().size(), 4u);

    expect_error(ErrorKind::bad_input, {"peft", "not empty"},
                 [&] { write_neuron_lora_peft(folder / "peft", lora, {}); });
}

TEST(NeuronLora, PeftNamesOfOtherArchitecturesAreNotGuessed) {
    const TempFolder folder;
    const std::vector<NeuronScale> neurons = {{0, 1, 0.0f}};
    const NeuronLora lora = make_neuron_lora(write_model(folder / "m.gguf", "starcoder2"), neurons);
    expect_error(ErrorKind::usage, {"starcoder2", "--format lora"},
                 [&] { write_neuron_lora_peft(folder / "peft", lora, {}); });
    EXPECT_FALSE(std::filesystem::exists(folder / "peft"));
}

} // namespace
} // namespace valuelens
