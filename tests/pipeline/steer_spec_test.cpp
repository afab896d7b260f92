#include "pipeline/steer_spec.h"

#include "base/file.h"
#include "base/hash.h"
#include "pipeline/steer_files.h"
#include "support/expect_error.h"
#include "support/gguf_writer.h"
#include "support/temp_folder.h"

namespace valuelens {
namespace {

TEST(SteerSpec, DefaultsAreThoseOfTheCommandLine) {
    const SteerSpec spec = parse_steer_spec("dir/axes.safetensors:power/shared");
    EXPECT_EQ(spec.file, "dir/axes.safetensors");
    EXPECT_EQ(spec.key, "power/shared");
    EXPECT_FALSE(spec.layers.has_value());
    EXPECT_EQ(spec.alpha, 1.0f);
    EXPECT_EQ(spec.mode, SteerMode::add);
    EXPECT_EQ(spec.tokens, TokenScope::all);
    EXPECT_FALSE(spec.resid_unit);
}

TEST(SteerSpec, EveryPartIsRead) {
    const SteerSpec spec = parse_steer_spec("f:k,unit=resid,tokens=response,mode=clamp,alpha=0.5,layers=2");
    EXPECT_EQ(spec.mode, SteerMode::clamp);
    EXPECT_EQ(spec.tokens, TokenScope::response);
    EXPECT_EQ(spec.alpha, 0.5f);
    EXPECT_TRUE(spec.resid_unit);
    EXPECT_EQ(spec.layers->first, 2);
}

TEST(SteerSpec, AControlVectorNeedsNoKey) {
    const SteerSpec spec = parse_steer_spec("a:b/cv.gguf,layers=1,location=layer_input");
    EXPECT_EQ(spec.file, "a:b/cv.gguf");
    EXPECT_EQ(spec.key, "");
    EXPECT_EQ(spec.location, RowLocation::layer_input);
    EXPECT_EQ(parse_steer_spec("cv.gguf:direction").file, "cv.gguf");
    EXPECT_EQ(parse_steer_spec("cv.gguf:direction").location, RowLocation::layer_output);
}

TEST(SteerSpec, WrongOnesAreUsageErrors) {
    const auto expect_usage = [](const std::string & text, const std::vector<std::string> & words) {
        expect_error(ErrorKind::usage, words, [&] { parse_steer_spec(text); });
    };
    expect_usage("file", {"--steer file", "FILE:KEY"});
    expect_usage(":key", {"FILE:KEY"});
    expect_usage("file:", {"FILE:KEY"});
    expect_usage("f:k,mode=subtract", {"mode=subtract", "add, ablate, clamp"});
    expect_usage("f:k,tokens=some", {"tokens=some", "all, response, prompt"});
    expect_usage("f:k,unit=sigma", {"unit=sigma", "raw, resid"});
    expect_usage("f:k,mode=ablate,alpha=2", {"mode=ablate"});
    expect_usage("f:k,location=mlp", {"location=mlp", "layer_output, layer_input"});
}

class Directions : public testing::Test {
protected:
    std::vector<LayerDirection> load(const std::string & parts, const ModelInfo & model = toy_model()) const {
        return load_directions(parse_steer_spec(file_.string() + ":" + parts), model);
    }
    void expect_refused(const std::string & parts, const std::vector<std::string> & words,
                        ErrorKind kind = ErrorKind::bad_input) const {
        expect_error(kind, words, [&] { load(parts); });
    }
    TempFolder folder_;
    std::filesystem::path file_ = write_directions(folder_ / "axes.safetensors");
};

TEST_F(Directions, RawVectorsAreTakenAsTheyAre) {
    const auto directions = load("care/shared,alpha=2");
    ASSERT_EQ(directions.size(), 3u);
    EXPECT_EQ(directions[1].layer, 1);
    EXPECT_THAT(directions[1].vector, testing::ElementsAre(6.0f, 8.0f));
    EXPECT_EQ(directions[1].alpha, 2.0f);
    EXPECT_THAT(directions[2].vector, testing::ElementsAre(0.0f, 0.0f)) << "adding nothing is allowed";
}

TEST_F(Directions, LayersAreChosen) {
    const auto directions = load("care/undefined,layers=2,tokens=prompt");
    ASSERT_EQ(directions.size(), 1u);
    EXPECT_EQ(directions[0].layer, 2);
    EXPECT_EQ(directions[0].tokens, TokenScope::prompt);
    EXPECT_THAT(directions[0].vector, testing::ElementsAre(0.0f, 1.0f));
}

TEST_F(Directions, OneVectorServesTheNamedLayers) {
    const auto directions = load("one,layers=0-1");
    ASSERT_EQ(directions.size(), 2u);
    EXPECT_THAT(directions[1].vector, testing::ElementsAre(0.0f, 2.0f));
    expect_refused("one", {"\"one\"", "layers=A-B"}, ErrorKind::usage);
}

TEST_F(Directions, ResidUnitMakesAlphaAFractionOfTheResidualNorm) {
    const auto added = load("care/shared,layers=0-1,alpha=0.5,unit=resid");
    for (const LayerDirection & direction : added) {
        const double length = direction.alpha * std::hypot(direction.vector[0], direction.vector[1]);
        EXPECT_NEAR(length, 0.5 * 10 * (direction.layer + 1), 1e-5) << direction.layer;
    }
    // Clamp sets the component along the unit vector, so the vector's length has no part in it.
    EXPECT_EQ(load("care/shared,layers=1,alpha=0.5,unit=resid,mode=clamp")[0].alpha, 10.0f);
}

TEST_F(Directions, WhatHasNoDirectionIsRefused) {
    expect_refused("care/undefined", {"care/undefined", "NaN", "layer 1"});
    expect_refused("care/shared,mode=ablate", {"care/shared", "zero", "layer 2"});
    expect_refused("care/shared,unit=resid", {"care/shared", "zero", "layer 2"});
}

TEST_F(Directions, FilesThatDoNotFitAreRefused) {
    expect_refused("care/unique", {"axes.safetensors", "care/unique"});
    expect_refused("resid_norm", {"\"resid_norm\"", "[3]", "[3, 2]"});
    expect_refused("care/shared,layers=1-3", {"layers=1-3", "0-2"}, ErrorKind::usage);
    expect_error(ErrorKind::bad_input, {"none.safetensors"}, [&] {
        load_directions(parse_steer_spec((folder_ / "none.safetensors").string() + ":k"), toy_model());
    });
    ModelInfo other = toy_model();
    other.name = "other";
    other.identity = "2222";
    expect_error(ErrorKind::bad_input, {"maker", "other"}, [&] { load("care/shared", other); });
    file_ = write_directions(folder_ / "mlp.safetensors", "1111", "mlp_post");
    expect_refused("care/shared", {"mlp.safetensors", "mlp_post", "resid_post"});
}

TEST_F(Directions, WithoutResidNormTheUnitIsRefused) {
    const std::vector<float> vector = {1, 0};
    const std::vector<FloatTensor> tensors = {{"one", {2}, vector}};
    Provenance provenance;
    provenance.model_hash = "1111";
    file_ = folder_ / "bare.safetensors";
    write_safetensors(file_, tensors, provenance_metadata(provenance));
    expect_refused("one,layers=0,unit=resid", {"bare.safetensors", "resid_norm", "unit=raw"});
}

/// Keeps warnings.
struct Warnings : ProgressSink {
    void message(LogLevel level, std::string_view text) override {
        if (level == LogLevel::warning) {
            texts.emplace_back(text);
        }
    }
    std::vector<std::string> texts;
};

TEST_F(Directions, FilesOfOtherToolsAreUsedWithAWarning) {
    const std::vector<float> hidden_states = {9, 9, 1, 2, 3, 4, 5, 6};
    const std::vector<FloatTensor> tensors = {{"v", {4, 2}, hidden_states}};
    file_ = folder_ / "other.safetensors";
    write_safetensors(file_, tensors, {});
    Warnings warnings;
    const auto directions =
        load_directions(parse_steer_spec(file_.string() + ":v,location=layer_input"), toy_model(), warnings);
    ASSERT_EQ(directions.size(), 2u)
        << "the first row acts before the first block, the last lies behind the final norm";
    EXPECT_EQ(directions[1].layer, 1);
    EXPECT_THAT(directions[1].vector, testing::ElementsAre(3.0f, 4.0f));
    EXPECT_THAT(warnings.texts, testing::Contains(testing::HasSubstr("which model")));
    EXPECT_THAT(warnings.texts,
                testing::Contains(testing::HasSubstr("row 3 of \"v\" lies behind the model's final norm")));
    expect_refused("v", {"\"v\"", "[4, 2]", "[3, 2]", "location=layer_input"});
}

TEST_F(Directions, EachFileIsNamedOnceWithItsHash) {
    write_file(folder_ / "n.csv", "layer,neuron\n1,0\n");
    const std::vector<std::string> steer = {file_.string() + ":care/shared", file_.string() + ":one,layers=1"};
    const std::vector<std::string> neurons = {(folder_ / "n.csv").string()};
    const auto files = intervention_files(steer, neurons);
    ASSERT_EQ(files.size(), 2u);
    EXPECT_EQ(files[0], (std::pair(file_.string(), sha256_file(file_))));
    EXPECT_EQ(files[1], (std::pair(neurons[0], sha256_hex("layer,neuron\n1,0\n"))));
}

TEST_F(Directions, ControlVectorsAreRead) {
    test::GgufWriter gguf("controlvector");
    gguf.tensor("direction.2", {2}, std::vector<float>{5, 6});
    file_ = gguf.write(folder_ / "cv.gguf");
    const auto directions = load("direction,alpha=3");
    ASSERT_EQ(directions.size(), 1u);
    EXPECT_EQ(directions[0].layer, 2);
    EXPECT_EQ(directions[0].alpha, 3.0f);
    expect_refused("direction,layers=1-2", {"no direction for layer 1"}, ErrorKind::usage);
    expect_refused("direction,unit=resid", {"cv.gguf", "resid_norm"});
    test::GgufWriter far("controlvector");
    far.tensor("direction.3", {2}, std::vector<float>{5, 6});
    file_ = far.write(folder_ / "far.gguf");
    expect_refused("direction", {"far.gguf", "layer 3", "0-2"});
}

TEST_F(Directions, InterventionJoinsAllSpecificationsInOrder) {
    const std::vector<std::string> steer = {file_.string() + ":care/shared,layers=1",
                                            file_.string() + ":one,layers=1,mode=ablate"};
    const auto intervention = load_intervention(steer, {}, toy_model());
    ASSERT_EQ(intervention->directions.size(), 2u);
    EXPECT_EQ(intervention->directions[0].mode, SteerMode::add);
    EXPECT_EQ(intervention->directions[1].mode, SteerMode::ablate);
    EXPECT_EQ(load_intervention({}, {}, toy_model()), nullptr);
}

} // namespace
} // namespace valuelens
