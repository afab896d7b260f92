#include "serve/sources.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "serve/expect_refusal.h"
#include "serve/steering_files.h"
#include "serve/steering_request.h"
#include "support/temp_folder.h"

namespace valuelens {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::expect_refusal;

class SourcesTest : public testing::Test {
protected:
    SourcesTest() {
        fs::create_directories(root / "deep");
        test::write_axes(root / "axes.safetensors", model);
        test::write_axes(root / "deep" / "more.safetensors", model);
        test::write_neurons(root / "neurons.csv");
        std::ofstream(root / "notes.txt") << "not a source";
        test::write_axes(folder / "outside.safetensors", model);
        fs::create_symlink(folder / "outside.safetensors", root / "link-out.safetensors");
        fs::create_symlink(root / "axes.safetensors", root / "link-in.safetensors");
        fs::create_directory_symlink(folder.path(), root / "folder-out");
    }

    TempFolder folder;
    fs::path root = folder / "sources";
    ModelInfo model = test::small_model();
};

TEST_F(SourcesTest, ListsWhatFitsTheModelWithItsKeysAndLayers) {
    ModelInfo other = model;
    other.identity = "2222";
    test::write_axes(root / "other.safetensors", other);
    std::ofstream(root / "broken.safetensors") << "no";
    test::write_neurons(root / "others.csv");
    std::ofstream(root / "others.json") << R"({"model_hash": "2222", "model_name": "other"})";
    const Sources sources(root, model);
    std::vector<std::string> names;
    for (const Source & source : sources.list()) {
        names.push_back(source.name);
        if (source.name == "axes.safetensors") {
            ASSERT_EQ(source.keys.size(), 4u) << "resid_norm is no direction";
            EXPECT_EQ(source.keys[0].key, "care/shared");
            EXPECT_EQ(source.keys[0].layers, (std::vector<int>{0, 1, 2}));
            EXPECT_TRUE(source.keys[3].layers.empty());
            EXPECT_TRUE(source.resid_unit);
        } else if (source.name == "neurons.csv") {
            ASSERT_EQ(source.groups.size(), 2u);
            EXPECT_EQ(source.groups[0].count, 2u);
        } else if (source.name == "other.safetensors" || source.name == "broken.safetensors" ||
                   source.name == "others.csv") {
            EXPECT_FALSE(source.problem.empty()) << source.name;
            EXPECT_EQ(source.problem.find(folder.path().string()), std::string::npos) << source.problem;
        }
    }
    EXPECT_EQ(names,
              (std::vector<std::string>{"axes.safetensors", "broken.safetensors", "deep/more.safetensors",
                                        "link-in.safetensors", "neurons.csv", "other.safetensors", "others.csv"}));
    EXPECT_FALSE(sources.has_more());
}

TEST_F(SourcesTest, AFileMaySayItsBlocksInEitherWidth) {
    const std::vector<float> rows(2 * 8, 0.5f);
    const std::vector<std::int32_t> layers = {0, 2};
    {
        SafetensorsWriter writer(root / "narrow.safetensors");
        writer.declare("direction", DType::f32, {2, 8});
        writer.declare("layers", DType::i32, {2});
        writer.append("direction", rows);
        writer.append("layers", layers.data(), layers.size() * sizeof(layers[0]));
        writer.commit();
    }
    for (const Source & source : Sources(root, model).list()) {
        if (source.name == "narrow.safetensors") {
            ASSERT_EQ(source.keys.size(), 1u);
            EXPECT_EQ(source.keys[0].layers, (std::vector<int>{0, 2}));
            return;
        }
    }
    FAIL() << "narrow.safetensors is not listed";
}

TEST_F(SourcesTest, ShardsOfARunAreNotLookedInto) {
    fs::create_directories(root / "activations");
    test::write_axes(root / "activations" / "shard-00000.safetensors", model);
    for (const Source & source : Sources(root, model).list()) {
        EXPECT_EQ(source.name.find("activations"), std::string::npos);
    }
}

TEST_F(SourcesTest, NoNameLeadsOutOfTheFolder) {
    const Sources sources(root, model);
    EXPECT_EQ(sources.find("deep/more.safetensors", "p"), fs::canonical(root / "deep" / "more.safetensors"));
    for (const std::string & name :
         {std::string("../outside.safetensors"), (folder / "outside.safetensors").string(),
          std::string("deep/../../outside.safetensors"), std::string("deep/../axes.safetensors"),
          std::string("link-out.safetensors"), std::string("folder-out/outside.safetensors"), std::string("notes.txt"),
          std::string("./axes.safetensors"), std::string("deep"), std::string(""), std::string("..\\outside"),
          std::string("axes.safetensors\0", 17)}) {
        expect_refusal(400, "there is no source", [&] { sources.find(name, "p"); });
    }
    // One that becomes a link to elsewhere while the server runs.
    fs::remove(root / "axes.safetensors");
    fs::create_symlink(folder / "outside.safetensors", root / "axes.safetensors");
    expect_refusal(400, "not there any more", [&] { sources.find("axes.safetensors", "p"); });
    expect_refusal(400, "without --sources", [&] { Sources({}, model).find("axes.safetensors", "p"); });
    EXPECT_TRUE(Sources({}, model).list().empty());
}

class SteeringDeskTest : public SourcesTest {
protected:
    std::shared_ptr<const Intervention> read(const json & steering) { return desk.read(&steering); }
    void refused(const std::string & words, const json & steering) {
        expect_refusal(400, words, [&] { read(steering); });
    }
    static json vector(const json & more) {
        json entry = {{"source", "axes.safetensors"}, {"key", "care/shared"}};
        entry.update(more);
        return {{"vectors", json::array({entry})}};
    }
    static json neurons(const json & entry) { return {{"neurons", json::array({entry})}}; }

    Sources sources{root, model};
    SteeringDesk desk{sources, model};
};

TEST_F(SteeringDeskTest, ReadsVectorsAndNeurons) {
    const auto intervention =
        read({{"vectors",
               {{{"source", "axes.safetensors"}, {"key", "care/shared"}, {"scale", 3}, {"layers", "1-2"}},
                {{"source", "axes.safetensors"},
                 {"key", "compliance"},
                 {"mode", "ablate"},
                 {"layers", json::array({0, 2})},
                 {"tokens", "response"}}}},
              {"neurons",
               {{{"source", "neurons.csv"}, {"value", "care"}, {"category", "shared"}, {"scale", 0.5}},
                {{"layer", 2}, {"indices", json::array({4})}}}}});
    ASSERT_EQ(intervention->directions.size(), 4u);
    EXPECT_EQ(intervention->directions[0].layer, 1);
    EXPECT_EQ(intervention->directions[0].alpha, 3.0f);
    EXPECT_EQ(intervention->directions[3].layer, 2);
    EXPECT_EQ(intervention->directions[3].mode, SteerMode::ablate);
    EXPECT_EQ(intervention->directions[3].tokens, TokenScope::response);
    ASSERT_EQ(intervention->neurons.size(), 3u);
    EXPECT_EQ(intervention->neurons[1].neuron, 2);
    EXPECT_EQ(intervention->neurons[1].beta, 0.5f);
    EXPECT_EQ(intervention->neurons[2].layer, 2);
    EXPECT_EQ(intervention->neurons[2].beta, 0.0f) << "switched off where no scale is given";
    EXPECT_NEAR(read(vector({{"unit", "resid"}, {"scale", 0.1}}))->directions[0].alpha, 4.0f, 1e-4);
    EXPECT_EQ(read(vector({{"layers", 1}}))->directions.size(), 1u);
    const auto two = read(vector({{"layers", "0,2"}}));
    ASSERT_EQ(two->directions.size(), 2u);
    EXPECT_EQ(two->directions[1].layer, 2);
    EXPECT_EQ(read(json::object()), nullptr);
    EXPECT_EQ(read({{"vectors", json::array()}, {"neurons", nullptr}}), nullptr);
    EXPECT_EQ(desk.read(nullptr), nullptr);
}

TEST_F(SteeringDeskTest, EqualRequestsShareOneObjectUntilTheFileChanges) {
    const auto first = read(vector({{"scale", 2}}));
    EXPECT_EQ(read(vector({{"scale", 2}})), first);
    EXPECT_NE(read(vector({{"scale", 2.5}})), first);
    fs::last_write_time(root / "axes.safetensors", fs::file_time_type::clock::now() + std::chrono::seconds(5));
    EXPECT_NE(read(vector({{"scale", 2}})), first);
    Intervention ablation;
    ablation.directions.push_back({1, {1, 0, 0, 0, 0, 0, 0, 0}, 1.0f, SteerMode::ablate});
    const auto joined = desk.with(first, ablation);
    EXPECT_EQ(joined->directions.size(), first->directions.size() + 1);
    EXPECT_EQ(desk.with(first, ablation), joined);
    EXPECT_EQ(desk.with(nullptr, ablation)->directions.size(), 1u);
}

TEST_F(SteeringDeskTest, RefusesWhatItCannotDoByTheFieldsName) {
    refused("steering must be a JSON object", json::array());
    refused("unknown field steering.vector", {{"vector", json::array()}});
    refused("steering.vectors must be a list", {{"vectors", 3}});
    refused("steering.vectors[0] must be a JSON object", {{"vectors", {1}}});
    refused("steering.vectors[0].source is missing", {{"vectors", json::array({json::object()})}});
    refused("there is no source \"../axes.safetensors\"", vector({{"source", "../axes.safetensors"}}));
    refused("there is no source \"/etc/passwd\"", vector({{"source", "/etc/passwd"}}));
    refused("has no tensor", vector({{"key", "envy/shared"}}));
    refused("unknown field steering.vectors[0].alpha", vector({{"alpha", 2}}));
    refused("steering.vectors[0].mode is \"push\"", vector({{"mode", "push"}}));
    refused("no scale or unit", vector({{"mode", "ablate"}, {"scale", 2}}));
    refused("reaches beyond the model, whose blocks are 0-2", vector({{"layers", "1-3"}}));
    refused("steering.vectors[0].layers must be", vector({{"layers", "2-1"}}));
    refused("steering.vectors[0].layers must be", vector({{"layers", "0,,2"}}));
    refused("steering.vectors[0].layers is empty", vector({{"layers", ""}}));
    refused("steering.vectors[0].layers must be", vector({{"layers", json::array({-1})}}));
    refused("steering.vectors[0].layers must be", vector({{"layers", json::array({json::array({1})})}}));
    refused("steering.vectors[0].scale is 1e+30", vector({{"scale", 1e30}}));
    refused("name the layers", vector({{"key", "one"}}));
    refused("value and category belong together", neurons({{"source", "neurons.csv"}, {"value", "care"}}));
    refused("holds no neuron", neurons({{"source", "neurons.csv"}, {"value", "envy"}, {"category", "shared"}}));
    refused("steering.neurons[0].indices must hold numbers from 0 to 4", neurons({{"layer", 1}, {"indices", {5}}}));
    refused("steering.neurons[0].indices must be a list", neurons({{"indices", {5}}}));
    refused("steering.vectors must be a list of at most 64", {{"vectors", json(std::vector<int>(65))}});
    try {
        read(vector({{"key", "envy/shared"}}));
    } catch (const ApiError & error) {
        EXPECT_EQ(std::string(error.what()).find(folder.path().string()), std::string::npos)
            << "where the folder lies is not the client's business";
    }
}

} // namespace
} // namespace valuelens
