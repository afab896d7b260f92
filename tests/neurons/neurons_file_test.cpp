#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"
#include "valuelens/neurons.h"

namespace valuelens {
namespace {

NeuronTable small_table() {
    NeuronTable table;
    table.provenance.model_name = "toy";
    table.provenance.model_hash = "1111";
    table.provenance.tool_version = "0";
    table.values = {"care", "power"};
    table.notes = {"a note"};
    table.n_neuron = {10, 20};
    table.neurons = {{0, {0, -1, 4}, 1.5, 10, 80, 100, NeuronCategory::shared},
                     {0, {1, 3, 0}, 1.25, 60, 150, 30.00004, NeuronCategory::none},
                     {1, {1, -2, 7}, 1.0 / 3, 90, 0, 180, NeuronCategory::intrinsic}};
    table.counts = {{{1, {0.5, 0, 2}}, {}, {}, {}, {1, {}}}, {{}, {1, {}}, {}, {}, {}}};
    table.layer_counts = {{{1, 0, 0, 0, 0}, {0, 0, 0, 0, 1}}, {{0, 0, 0, 0, 0}, {0, 1, 0, 0, 0}}};
    table.overlaps = {{0, 1, std::nullopt, 0, 2, 1, 0.0}, {0, 1, NeuronCategory::shared, 0, 1, 0}};
    return table;
}

TEST(NeuronsFile, HoldsOneLinePerNeuron) {
    const TempFolder folder;
    write_neurons_csv(folder / "neurons.csv", small_table());
    EXPECT_EQ(read_file(folder / "neurons.csv"),
              "value,layer,expert,neuron,norm,angle_shared,angle_intrinsic,angle_prompted,category\n"
              "care,0,,4,1.5,10.0000,80.0000,100.0000,shared\n"
              "care,1,3,0,1.25,60.0000,150.0000,30.0000,none\n"
              "power,1,shared,7,0.333333333,90.0000,0.0000,180.0000,intrinsic\n");
}

TEST(NeuronsFile, TheTableBesideItSaysWhatItRestsOn) {
    const auto json = nlohmann::json::parse(neurons_json(small_table()));
    EXPECT_EQ(json["model_hash"], "1111");
    EXPECT_EQ(json["location"], "resid_post");
    EXPECT_EQ(json["options"]["scope"], "model");
    EXPECT_EQ(json["notes"][0], "a note");
    EXPECT_EQ(json["n_neuron"], (std::vector<int>{10, 20}));
    EXPECT_EQ(json["values"][0]["value"], "care");
    EXPECT_EQ(json["values"][0]["counts"]["shared"], 1);
    EXPECT_EQ(json["values"][0]["chance"]["shared"], (std::vector<double>{0.5, 0, 2}));
    EXPECT_TRUE(json["values"][0]["chance"]["none"][0].is_null());
    EXPECT_EQ(json["values"][0]["layers"]["none"], (std::vector<int>{0, 1}));
    EXPECT_EQ(json["overlaps"][0]["category"], "all");
    EXPECT_EQ(json["overlaps"][0]["jaccard"], 0.0);
    EXPECT_EQ(json["overlaps"][1]["category"], "shared");
    EXPECT_TRUE(json["overlaps"][1]["p"].is_null());
}

TEST(NeuronsFile, AValueThatWouldBreakTheLineIsRefused) {
    const TempFolder folder;
    NeuronTable table = small_table();
    table.values[0] = "care, warmth";
    expect_error(ErrorKind::bad_input, {"neurons.csv", "care, warmth"},
                 [&] { write_neurons_csv(folder / "neurons.csv", table); });
    EXPECT_FALSE(std::filesystem::exists(folder / "neurons.csv"));
}

} // namespace
} // namespace valuelens
