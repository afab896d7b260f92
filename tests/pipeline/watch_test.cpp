#include "pipeline/watch.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/file.h"
#include "pipeline/steer_files.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"

namespace valuelens {
namespace {

/// Axes of toy_model(): `compliance` and `care/shared` along different unit vectors, `power/shared` undefined at
/// layer 1.
std::filesystem::path write_toy_axes(const std::filesystem::path & path) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const std::vector<float> care = {3, 4, 0, 2, 1, 0};
    const std::vector<float> power = {1, 0, nan, nan, 0, 1};
    const std::vector<float> compliance = {0, 1, 5, 0, 0, 0};
    const std::vector<FloatTensor> tensors = {
        {"care/shared", {3, 2}, care}, {"power/shared", {3, 2}, power}, {"compliance", {3, 2}, compliance}};
    Provenance provenance;
    provenance.model_name = "toy";
    provenance.model_hash = "1111";
    provenance.location = "resid_post";
    provenance.tool_version = "0";
    write_safetensors(path, tensors, provenance_metadata(provenance));
    return path;
}

class WatchTest : public testing::Test {
protected:
    Watch load(std::vector<std::string> keys = {}, std::optional<LayerRange> layers = std::nullopt) {
        return load_watch({axes, std::move(keys), layers}, model);
    }

    TempFolder folder;
    std::filesystem::path axes = write_toy_axes(folder / "axes.safetensors");
    ModelInfo model = toy_model();
};

TEST_F(WatchTest, TakesComplianceAndTheSharedAxesAtTheMiddleBlock) {
    const Watch watch = load();
    EXPECT_EQ(watch.names, (std::vector<std::string>{"compliance", "care/shared"})) << "power is undefined there";
    EXPECT_EQ(watch.layers, (std::vector<int>{1}));
    ASSERT_EQ(watch.projector->rows.size(), 2u);
    EXPECT_EQ(watch.projector->rows[0].vector, (std::vector<float>{1, 0}));
    EXPECT_EQ(watch.projector->rows[1].vector, (std::vector<float>{0, 1}));
    EXPECT_NE(watch.digest, load({"compliance"}).digest);
}

TEST_F(WatchTest, OverSeveralBlocksTheProjectionIsTheirMean) {
    const Watch watch = load({"care/shared"}, LayerRange{0, 1});
    ASSERT_EQ(watch.projector->rows.size(), 2u);
    EXPECT_FLOAT_EQ(watch.projector->rows[0].vector[0], 0.3f); // half of 3/5
    EXPECT_FLOAT_EQ(watch.projector->rows[1].vector[1], 0.5f);
}

TEST_F(WatchTest, RefusesWhatIsUndefinedOrNotThere) {
    expect_error(ErrorKind::bad_input, {"power/shared", "undefined"}, [&] { load({"power/shared"}); });
    expect_error(ErrorKind::bad_input, {"zero"}, [&] { load({"compliance"}, LayerRange{2, 2}); });
    expect_error(ErrorKind::usage, {"0-2"}, [&] { load({}, LayerRange{1, 3}); });
    write_directions(folder / "plain.safetensors");
    axes = folder / "plain.safetensors";
    EXPECT_EQ(load().names, (std::vector<std::string>{"care/shared"}));
}

TEST_F(WatchTest, TheAblationTakesTheBlocksWhereTheDirectionIsDefined) {
    const std::vector<std::string> keys = {"compliance", "power/shared"};
    const Intervention ablation = load_ablation(axes, keys, model);
    std::vector<int> layers;
    for (const LayerDirection & direction : ablation.directions) {
        EXPECT_EQ(direction.mode, SteerMode::ablate);
        EXPECT_EQ(direction.tokens, TokenScope::all);
        layers.push_back(direction.layer);
    }
    EXPECT_EQ(layers, (std::vector<int>{0, 1, 0, 2}));
}

TEST_F(WatchTest, ReadsMeansOfTheWholeAndOfTheBeginning) {
    const std::vector<float> prompt = {7, 8};
    const std::vector<float> tokens = {1, 10, 3, 30, 8, 80};
    const WatchReading reading = read_watch(2, 2, prompt, tokens);
    EXPECT_EQ(reading.n_tokens, 3u);
    EXPECT_DOUBLE_EQ(reading.early[0], 2);
    EXPECT_DOUBLE_EQ(reading.mean[0], 4);
    EXPECT_DOUBLE_EQ(reading.mean[1], 40);
    const WatchReading empty = read_watch(2, 2, prompt, {});
    EXPECT_EQ(empty.n_tokens, 0u);
    EXPECT_TRUE(std::isnan(empty.mean[0]));
}

TEST_F(WatchTest, LearnsTheQuantileAndFlagsWhatExceedsIt) {
    const Watch watch = load();
    std::vector<WatchReading> readings;
    for (int i = 1; i <= 20; ++i) {
        const std::vector<float> tokens = {static_cast<float>(i), 0.0f, static_cast<float>(3 * i), 1.0f};
        readings.push_back(read_watch(2, 1, std::vector<float>{0.5f, 0.5f}, tokens));
    }
    readings.push_back(read_watch(2, 1, {}, {})); // nothing to learn from
    const WatchThresholds thresholds = learn_thresholds(watch, readings, 0.9, 1, {}, model);
    EXPECT_EQ(thresholds.n_responses, 20u);
    EXPECT_EQ(thresholds.guard, (std::vector<std::string>{"compliance"}));
    EXPECT_DOUBLE_EQ(thresholds.limits[0].mean, 36); // 2 x 18: two of twenty lie beyond it
    EXPECT_DOUBLE_EQ(thresholds.limits[0].early, 18);
    std::size_t flagged = 0;
    for (const WatchReading & reading : readings) {
        flagged += is_flagged(thresholds, exceeding(thresholds, reading, false)) ? 1 : 0;
    }
    EXPECT_EQ(flagged, 2u);
    // Above the threshold of a direction that nobody guards.
    const WatchReading care = read_watch(2, 1, {}, std::vector<float>{0.0f, 99.0f});
    EXPECT_EQ(exceeding(thresholds, care, false), (std::vector<bool>{false, true}));
    EXPECT_FALSE(is_flagged(thresholds, exceeding(thresholds, care, false)));
    EXPECT_TRUE(is_flagged(learn_thresholds(watch, readings, 0.9, 1, {"care/shared"}, model), {false, true}));
    expect_error(ErrorKind::usage, {"--guard envy", "care/shared"},
                 [&] { learn_thresholds(watch, readings, 0.9, 1, {"envy"}, model); });
    expect_error(ErrorKind::bad_input, {"no response"},
                 [&] { learn_thresholds(watch, std::span(readings).last(1), 0.9, 1, {}, model); });
}

TEST_F(WatchTest, WhatWasTakenOutExceedsNothing) {
    const Watch watch = load();
    const std::vector<WatchReading> readings = {read_watch(2, 4, {}, std::vector<float>{-5, -5})};
    const WatchThresholds negative = learn_thresholds(watch, readings, 0.9, 4, {"compliance"}, model);
    WatchReading reading = read_watch(2, 4, {}, std::vector<float>{0, 0});
    EXPECT_EQ(exceeding(negative, reading, false), (std::vector<bool>{true, true}));
    reading.defended = true;
    EXPECT_EQ(exceeding(negative, reading, false), (std::vector<bool>{false, true}));
    EXPECT_FALSE(is_flagged(negative, exceeding(negative, reading, false)));
}

TEST_F(WatchTest, ThresholdsBelongToTheirDirections) {
    const Watch watch = load();
    const std::vector<WatchReading> readings = {read_watch(2, 4, std::vector<float>{1, 2}, std::vector<float>{3, 4})};
    const WatchThresholds learned = learn_thresholds(watch, readings, 0.99, 4, {}, model);
    const auto path = folder / "thresholds.json";
    write_thresholds(path, learned);
    const WatchThresholds again = read_thresholds(path, watch);
    EXPECT_EQ(again.names, learned.names);
    EXPECT_EQ(again.window, 4u);
    EXPECT_DOUBLE_EQ(again.limits[1].mean, 4);
    EXPECT_DOUBLE_EQ(again.limits[1].prompt, 2);
    expect_error(ErrorKind::bad_input, {"other directions or blocks"}, [&] {
        read_thresholds(path, load({}, LayerRange{0, 0}));
    });
    write_file(path, "{\"format\": \"something\"}");
    expect_error(ErrorKind::bad_input, {"something"}, [&] { read_thresholds(path, watch); });
    write_file(path, "[1");
    expect_error(ErrorKind::bad_input, {"no file of thresholds"}, [&] { read_thresholds(path, watch); });
}

TEST_F(WatchTest, ThresholdsThatCouldNeverFlagAreRefused) {
    const Watch watch = load();
    const std::vector<WatchReading> readings = {read_watch(2, 4, std::vector<float>{1, 2}, std::vector<float>{3, 4})};
    const WatchThresholds learned = learn_thresholds(watch, readings, 0.99, 4, {}, model);
    const auto path = folder / "thresholds.json";
    const auto refused = [&](const WatchThresholds & thresholds, const std::string & why) {
        write_thresholds(path, thresholds);
        expect_error(ErrorKind::bad_input, {"thresholds.json", why}, [&] { read_thresholds(path, watch); });
    };
    WatchThresholds changed = learned;
    changed.window = 0;
    refused(changed, "window is 0");
    changed = learned;
    changed.guard = {};
    refused(changed, "guard names no direction");
    changed.guard = {"envy/shared"};
    refused(changed, "'envy/shared'");
}

TEST_F(WatchTest, TheReportSaysWhatExceeds) {
    const Watch watch = load();
    const std::vector<WatchReading> readings = {read_watch(2, 4, {}, std::vector<float>{1, 1})};
    const WatchThresholds thresholds = learn_thresholds(watch, readings, 0.99, 4, {}, model);
    const WatchReading reading = read_watch(2, 4, std::vector<float>{0.5f, 0.5f}, std::vector<float>{2, 0, 4, 1});
    const nlohmann::ordered_json json = watch_json(watch, &thresholds, reading, true);
    EXPECT_EQ(json["flagged"], true);
    EXPECT_EQ(json["directions"]["compliance"]["exceeds"], true);
    EXPECT_EQ(json["directions"]["compliance"]["tokens"], nlohmann::ordered_json({2.0, 4.0}));
    EXPECT_EQ(json["directions"]["care/shared"]["mean"], 0.5);
    const nlohmann::ordered_json bare = watch_json(watch, nullptr, read_watch(2, 4, {}, {}), false);
    EXPECT_TRUE(bare["directions"]["compliance"]["mean"].is_null());
    EXPECT_FALSE(bare.contains("flagged"));
    EXPECT_FALSE(bare["directions"]["compliance"].contains("tokens"));
}

} // namespace
} // namespace valuelens
