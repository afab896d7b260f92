#include "valuelens/tune.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include <cmath>

#include "base/file.h"
#include "base/random.h"
#include "pipeline/evaluate_tools.h"
#include "pipeline/tune_layers.h"
#include "store/provenance.h"
#include "store/safetensors.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"
#include "support/tiny_language_model.h"

namespace valuelens {
namespace {

using test::TinyLanguageModel;

class Tune : public testing::Test {
protected:
    Tune() {
        model_ = TinyLanguageModel::dense().write(folder_ / "m.gguf");
        provenance_.model_name = "tiny llama";
        provenance_.model_hash = model_identity(model_);
        provenance_.tool_version = "test";
        Rng rng(3);
        std::vector<float> rows(3 * TinyLanguageModel::n_embd);
        for (float & x : rows) {
            x = static_cast<float>(rng.normal());
        }
        const std::vector<FloatTensor> tensors = {{"power/shared", {3, TinyLanguageModel::n_embd}, rows},
                                                  {"compliance", {3, TinyLanguageModel::n_embd}, rows}};
        write_safetensors(folder_ / "d.safetensors", tensors, provenance_metadata(provenance_));
        write_file(folder_ / "p.jsonl", "{\"id\": \"1\", \"value\": \"power\", \"text\": \"They like to lead.\"}\n"
                                        "{\"id\": \"2\", \"value\": \"power\", \"text\": \"They want to be rich.\"}\n"
                                        "{\"id\": \"3\", \"value\": \"security\", \"text\": \"They lock the door.\"}\n"
                                        "{\"id\": \"4\", \"value\": \"security\", \"text\": \"They save money.\"}\n");
    }

    TuneOptions options(const std::string & more = "") const {
        TuneOptions options;
        options.model = {.path = model_, .threads = 1};
        options.scheduler = {.parallel = 8};
        options.steer = {(folder_ / "d.safetensors").string() + ":power/shared" + more};
        options.grid = {1, -2, 4, 0.25};
        options.evaluation = {.limit = 6, .bootstraps = 40, .seed = 2};
        options.portraits.input = folder_ / "p.jsonl";
        options.output = folder_ / "tune.json";
        return options;
    }

    void expect_refused(const TuneOptions & wanted, const std::vector<std::string> & words,
                        ErrorKind kind = ErrorKind::usage) const {
        expect_error(kind, words, [&] { tune(wanted); });
        EXPECT_FALSE(std::filesystem::exists(wanted.output));
    }

    Evaluation evaluate_alone(const EvaluationTask & task, const std::string & steer, std::size_t limit) const {
        EvaluateRequest request;
        request.model = options().model;
        request.scheduler = options().scheduler;
        request.steer = {steer};
        request.options = options().evaluation;
        request.options.limit = limit;
        request.output = folder_ / "alone.json";
        return evaluate_to_file(task, request, silent_progress(), {});
    }

    /// Vectors whose AUROC rises and falls over the blocks.
    std::filesystem::path vectors_file() const {
        ValueVectorSet set;
        set.provenance = provenance_;
        set.n_layer = 3;
        set.n_embd = TinyLanguageModel::n_embd;
        set.values = {"power"};
        set.resid_norm = {1, 1, 1};
        set.condition_cosine.resize(3);
        const std::vector<std::vector<double>> aurocs = {{0.6, 0.9, 0.7}, {0.5, 0.6, 0.9}};
        for (const Condition condition : {Condition::intrinsic, Condition::prompted}) {
            ValueVector vector;
            vector.value = "power";
            vector.condition = condition;
            vector.vector.assign(3 * TinyLanguageModel::n_embd, 1.0f);
            vector.norm.resize(3);
            vector.split_half_cosine.resize(3);
            for (const double auroc : aurocs[condition == Condition::intrinsic ? 0 : 1]) {
                vector.auroc.push_back({auroc, auroc - 0.1, auroc + 0.1});
            }
            set.vectors.push_back(std::move(vector));
        }
        write_value_vectors(folder_ / "v.safetensors", set);
        return folder_ / "v.safetensors";
    }

    TempFolder folder_;
    std::string model_;
    Provenance provenance_;
};

void expect_same(const Estimate & a, const Estimate & b) {
    EXPECT_NEAR(a.value, b.value, 1e-3);
    EXPECT_NEAR(a.low, b.low, 1e-3);
    EXPECT_NEAR(a.high, b.high, 1e-3);
}

TEST_F(Tune, EachPointIsWhatAnEvaluationOfItGives) {
    const TuneResult result = tune(options(",layers=1-2"));
    ASSERT_EQ(result.curves.size(), 1u);
    const TuneCurve & curve = result.curves[0];
    EXPECT_EQ(curve.value, "power");
    ASSERT_EQ(curve.points.size(), 4u);
    EXPECT_EQ(curve.points[0].strength, -2);
    EXPECT_EQ(curve.points[3].strength, 4);
    EXPECT_THAT(curve.points[1].intervention, testing::EndsWith("d.safetensors:power/shared,layers=1-2,alpha=0.25"));
    const auto questions = multiple_choice_task({});
    const auto portraits = pvq_task({.input = folder_ / "p.jsonl"}, schwartz10());
    for (const std::size_t i : {0u, 3u}) {
        const TunePoint & point = curve.points[i];
        const Evaluation answers = evaluate_alone(*questions, point.intervention, 6);
        expect_same(point.drop, paired_drop(*answers.find("accuracy")));
        expect_same(point.accuracy, answers.find("accuracy")->scores[1].estimate);
        expect_same(point.probability_drop, paired_drop(*answers.find("answer_probability")));
        const Evaluation likeness = evaluate_alone(*portraits, point.intervention, 0);
        expect_same(point.gain, likeness.find("likeness", "power")->differences[1].estimate);
        expect_same(point.gain_centred, likeness.find("likeness_centred", "power")->differences[1].estimate);
    }
    EXPECT_GT(std::abs(curve.points[3].gain.value), 1e-3) << "the direction does something";
    EXPECT_EQ(result.files.size(), 1u);
}

TEST_F(Tune, TheChoiceIsTheStrongestWithAllWeakerOnesBelow) {
    TuneOptions wanted = options();
    wanted.max_drop = 8;
    const TuneResult result = tune(wanted);
    const TuneCurve & curve = result.curves[0];
    std::optional<std::size_t> above;
    for (std::size_t i = 1; i < 4 && curve.points[i].drop.value < 8; ++i) { // 0.25, 1, 4
        above = i;
    }
    EXPECT_EQ(curve.above.point, above);
    EXPECT_EQ(curve.below.point.has_value(), curve.points[0].drop.value < 8);
    EXPECT_LE(curve.above.certain.value_or(0), curve.above.point.value_or(0));
    const auto json = nlohmann::json::parse(read_file(wanted.output));
    EXPECT_EQ(json["format"], "valuelens.tune/1");
    EXPECT_EQ(json["strength"], "alpha");
    EXPECT_EQ(json["max_drop"], 8);
    EXPECT_EQ(json["curves"][0]["points"][1]["strength"], 0.25);
    EXPECT_EQ(json["curves"][0]["points"].size(), 4u);
    EXPECT_EQ(json["curves"][0]["above"]["strength"],
              above ? nlohmann::json(curve.points[*above].strength) : nlohmann::json(nullptr));
    EXPECT_EQ(json["questions"]["settings"]["shots"], "0");
    EXPECT_EQ(json["questions"]["settings"]["parallel"], "8");
    EXPECT_EQ(json["files"][0]["sha256"].get<std::string>().size(), 64u);
    EXPECT_EQ(read_file(wanted.output), tune_json(result) + "\n");
}

TEST_F(Tune, RangesOfBlocksAreTriedByHeldOutAuroc) {
    TuneOptions wanted = options();
    wanted.grid = {2};
    wanted.auto_layers = true;
    wanted.vectors = vectors_file();
    wanted.window = 1;
    wanted.candidates = 2;
    wanted.max_drop = 101;
    const TuneResult result = tune(wanted);
    ASSERT_EQ(result.curves.size(), 2u);
    // The mean of both conditions is 0.55, 0.75, 0.8.
    EXPECT_EQ(result.curves[0].layers, (LayerSpan{2, 2}));
    EXPECT_NEAR(result.curves[0].auroc, 0.8, 1e-9);
    EXPECT_EQ(result.curves[1].layers, (LayerSpan{1, 1}));
    EXPECT_THAT(result.curves[1].points[0].intervention, testing::EndsWith(":power/shared,layers=1-1,alpha=2"));
    ASSERT_EQ(result.best.size(), 1u);
    const std::size_t other = 1 - result.best[0].curve;
    EXPECT_GE(result.curves[result.best[0].curve].points[0].gain_centred.value,
              result.curves[other].points[0].gain_centred.value);
    EXPECT_EQ(result.files.size(), 2u);

    const ValueVectorSet set = read_value_vectors(wanted.vectors);
    EXPECT_NEAR(auroc_by_layer(set, "power", "power/intrinsic_orth")[1], 0.9, 1e-9);
    EXPECT_NEAR(auroc_by_layer(set, "power", "power/prompted")[1], 0.6, 1e-9);
    EXPECT_NEAR(auroc_by_layer(set, "", "compliance")[1], 0.75, 1e-9);
}

TEST_F(Tune, NeuronsHaveBetas) {
    write_file(folder_ / "n.csv", "layer,neuron\n0,1\n1,2\n1,3\n2,40\n");
    TuneOptions wanted = options();
    wanted.steer.clear();
    wanted.scale_neurons = {(folder_ / "n.csv").string()};
    wanted.grid = {0, 3};
    wanted.layers = {{0, 1}, {2, 2}};
    wanted.value = "power";
    const TuneResult result = tune(wanted);
    ASSERT_EQ(result.curves.size(), 2u);
    EXPECT_THAT(result.curves[0].points[0].intervention, testing::EndsWith("n.csv,layers=0-1,beta=0"));
    EXPECT_TRUE(result.curves[0].below.point.value_or(0) == 0);
    EXPECT_NE(result.curves[0].points[0].gain.value, result.curves[1].points[0].gain.value);
    EXPECT_EQ(nlohmann::json::parse(tune_json(result))["unchanged"], 1);
}

TEST_F(Tune, WithoutAValueThereIsNoGain) {
    TuneOptions wanted = options();
    wanted.steer = {(folder_ / "d.safetensors").string() + ":compliance"};
    wanted.grid = {1};
    const TuneResult result = tune(wanted);
    EXPECT_FALSE(result.portraits.has_value());
    EXPECT_TRUE(std::isnan(result.curves[0].points[0].gain.value));
    EXPECT_THAT(result.notes, testing::Contains(testing::HasSubstr("--value")));
    EXPECT_THAT(result.notes, testing::Contains(testing::HasSubstr("25 % of guessing"))) << "weights are random";
    wanted.value = "tradition";
    const TuneResult unmeasured = tune(wanted);
    EXPECT_TRUE(std::isnan(unmeasured.curves[0].points[0].gain.value));
    EXPECT_THAT(unmeasured.notes, testing::Contains(testing::HasSubstr("no portrait measures \"tradition\"")));
}

TEST_F(Tune, WhatMakesNoSenseIsSaidBeforeTheModelIsLoaded) {
    const auto refused = [&](auto && change, const std::vector<std::string> & words) {
        TuneOptions wanted = options();
        change(wanted);
        expect_refused(wanted, words);
    };
    refused([](TuneOptions & o) { o.steer.clear(); }, {"--steer", "--scale-neurons"});
    refused([](TuneOptions & o) { o.grid.clear(); }, {"--grid"});
    refused([](TuneOptions & o) { o.grid = {1, 0}; }, {"alpha = 0 changes nothing"});
    refused([](TuneOptions & o) { o.grid = {1, 1}; }, {"twice"});
    refused([](TuneOptions & o) { o.max_drop = 0; }, {"--max-drop 0"});
    refused([](TuneOptions & o) { o.auto_layers = true; }, {"--layers auto", "--vectors"});
    refused([](TuneOptions & o) { o.layers = {{1, 3}}; }, {"--layers 1-3", "0-2"});
    refused([](TuneOptions & o) { o.value = "honour"; }, {"honour", "power"});
    refused([](TuneOptions & o) { o.steer[0] += ",alpha=2"; }, {"alpha", "--grid"});
    refused([](TuneOptions & o) { o.steer[0] += ",mode=ablate"; }, {"ablate"});
    refused([](TuneOptions & o) { o.steer[0] += ",tokens=response"; }, {"tokens=response"});
    TuneOptions twice = options(",layers=1");
    twice.layers = {{0, 1}};
    expect_refused(twice, {"layers are given twice"});
}

} // namespace
} // namespace valuelens
