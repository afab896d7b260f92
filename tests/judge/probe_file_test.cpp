#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "judge/probe.h"
#include "store/safetensors.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"

namespace valuelens {
namespace {

Probe toy_probe() {
    Probe probe;
    probe.name = "toy";
    probe.model = "smollm2-135m:bf16";
    probe.model_name = "Toy Model";
    probe.n_layer = 3;
    probe.n_embd = 2;
    probe.reading.features = {{ProbeFeature::Pooling::text_mean, 1}, {ProbeFeature::Pooling::suffix_last, 2}};
    probe.reading.suffix = " the value of";
    probe.reading.skip_first_token = true;
    probe.values = {"care", "power"};
    probe.mean = {0, 1, 2, 3};
    probe.scale = {1, 2, 1, 4};
    probe.weights = {1, 0, 0, 0.5f, 0, -1, 0.25f, 0}; // numbers that F16 holds
    probe.bias = {0.5f, -1};
    probe.base_rate = {0.25f, 0.5f};
    probe.attribution = "Texts of nobody (CC0) – ünïcode";
    probe.quality = R"({"cv_auroc":0.75})";
    return probe;
}

class ProbeFile : public testing::Test {
protected:
    TempFolder folder;
    std::filesystem::path path = folder / "toy.safetensors";
};

TEST(Probe, LogOddsAreLinearInTheStandardisedReading) {
    // f = (1, -2, 4, 7) standardised: (1, -1.5, 2, 1).
    const std::vector<float> features = {1, -2, 4, 7};
    const std::vector<double> odds = toy_probe().log_odds(features);
    ASSERT_EQ(odds.size(), 2u);
    EXPECT_EQ(odds[0], 0.5 + 1 + 0.5);
    EXPECT_EQ(odds[1], -1 + 1.5 + 0.5);
}

TEST_F(ProbeFile, ComesBackAsItWas) {
    const Probe probe = toy_probe();
    save_probe(path, probe);
    const Probe back = load_probe(path.string());
    EXPECT_EQ(back.name, probe.name);
    EXPECT_EQ(back.model, probe.model);
    EXPECT_EQ(back.model_name, probe.model_name);
    EXPECT_EQ(back.n_layer, probe.n_layer);
    EXPECT_EQ(back.n_embd, probe.n_embd);
    EXPECT_EQ(back.reading.features, probe.reading.features);
    EXPECT_EQ(back.reading.suffix, probe.reading.suffix);
    EXPECT_EQ(back.reading.skip_first_token, probe.reading.skip_first_token);
    EXPECT_EQ(back.values, probe.values);
    EXPECT_EQ(back.mean, probe.mean);
    EXPECT_EQ(back.scale, probe.scale);
    EXPECT_EQ(back.weights, probe.weights);
    EXPECT_EQ(back.bias, probe.bias);
    EXPECT_EQ(back.base_rate, probe.base_rate);
    EXPECT_EQ(back.attribution, probe.attribution);
    EXPECT_EQ(nlohmann::json::parse(back.quality), nlohmann::json::parse(probe.quality));
}

TEST_F(ProbeFile, DamagedOnesAreBadInput) {
    save_probe(path, toy_probe());
    const std::string whole = read_file(path);
    write_file(path, whole.substr(0, whole.size() - 4));
    expect_error(ErrorKind::bad_input, {"toy.safetensors"}, [&] { load_probe(path.string()); });
    write_file(path, "no probe at all");
    expect_error(ErrorKind::bad_input, {"toy.safetensors"}, [&] { load_probe(path.string()); });
}

TEST_F(ProbeFile, FilesThatAreNoProbeSayWhatIsMissing) {
    const std::vector<float> numbers = {1, 2};
    const auto write = [&](const std::map<std::string, std::string> & metadata) {
        write_safetensors(path, std::vector<FloatTensor>{{"mean", {2}, numbers}}, metadata);
    };
    write({});
    expect_error(ErrorKind::bad_input, {"toy.safetensors", "not a probe", "valuelens judge-train"},
                 [&] { load_probe(path.string()); });
    write({{"probe", "{"}});
    expect_error(ErrorKind::bad_input, {"toy.safetensors", "not a probe"}, [&] { load_probe(path.string()); });
    write({{"probe", R"({"name": "x"})"}});
    expect_error(ErrorKind::bad_input, {"toy.safetensors", "model"}, [&] { load_probe(path.string()); });
}

TEST_F(ProbeFile, TensorsMustFitTheDescription) {
    for (const auto field : {&Probe::mean, &Probe::bias, &Probe::base_rate}) {
        Probe probe = toy_probe();
        (probe.*field).push_back(0);
        save_probe(path, probe);
        expect_error(ErrorKind::bad_input, {"toy.safetensors", "do not fit"}, [&] { load_probe(path.string()); });
    }
}

TEST(ShippedProbes, AreWholeAndTellHowGoodTheyAre) {
    const std::vector<std::string> names = shipped_probes();
    EXPECT_THAT(names, testing::IsSupersetOf({"gemma3-270m", "smollm2-135m"}));
    for (const std::string & name : names) {
        const Probe probe = load_probe(name);
        EXPECT_EQ(probe.name, name);
        EXPECT_EQ(probe.values.size(), 10u) << name;
        EXPECT_EQ(probe.weights.size(), 10 * probe.n_feature()) << name;
        EXPECT_NE(probe.model, "") << name;
        EXPECT_NE(probe.attribution, "") << name;
        EXPECT_GT(nlohmann::json::parse(probe.quality).at("mean_auroc").get<double>(), 0.7) << name;
        for (const float scale : probe.scale) {
            ASSERT_GT(scale, 0) << name;
        }
        for (const float rate : probe.base_rate) {
            ASSERT_TRUE(rate > 0 && rate < 1) << name;
        }
    }
}

TEST(ShippedProbes, AnUnknownNameListsThem) {
    expect_error(ErrorKind::usage, {"'gpt-5'", "gemma3-270m", "smollm2-135m", "judge-train"},
                 [] { load_probe("gpt-5"); });
}

} // namespace
} // namespace valuelens
