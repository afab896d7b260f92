#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "cli/program.h"
#include "store/activations.h"
#include "store/safetensors.h"
#include "support/tiny_language_model.h"
#include "valuelens/evaluation.h"
#include "valuelens/vectors.h"

namespace valuelens {
namespace {

using test::ProgramResult;
using test::run_program;
using testing::AllOf;
using testing::HasSubstr;

Provenance toy_provenance() {
    return {"toy", std::string(64, 'a'), "resid_post", "0-based block output", "test"};
}

class Inspect : public testing::Test {
protected:
    nlohmann::json inspect(const std::filesystem::path & file) const {
        const ProgramResult result = run_program({"inspect", file.string(), "--json"});
        EXPECT_EQ(result.exit_code, 0) << result.err;
        return nlohmann::json::parse(result.out, nullptr, false);
    }

    void expect_refused(const std::filesystem::path & file, const std::vector<std::string> & words) const {
        const ProgramResult result = run_program({"inspect", file.string()});
        EXPECT_EQ(result.exit_code, 3) << result.err;
        for (const std::string & word : words) {
            EXPECT_THAT(result.last_error_line(), HasSubstr(word));
        }
    }

    TempFolder folder;
};

TEST_F(Inspect, ActivationsShowTheirShapesAndModel) {
    ActivationWriter writer(folder / "acts.safetensors", {2, 3, 0, 0}, toy_provenance(), ActivationFormat::f32,
                            {"a", "b"});
    for (std::size_t i = 0; i < 2; ++i) {
        writer.write(i, std::vector<float>(6, 1.0f));
    }
    writer.commit();
    const auto json = inspect(folder / "acts.safetensors");
    EXPECT_EQ(json["kind"], "activations");
    EXPECT_EQ(json["provenance"]["model_name"], "toy");
    EXPECT_EQ(json["facts"]["responses"], "2");
    ASSERT_EQ(json["tensors"].size(), 1u);
    EXPECT_EQ(json["tensors"][0]["name"], "resid_post");
    EXPECT_EQ(json["tensors"][0]["shape"], (std::vector<int>{2, 2, 3}));
    const ProgramResult text = run_program({"inspect", (folder / "acts.safetensors").string()});
    EXPECT_THAT(text.out, AllOf(HasSubstr("model toy (aaaaaaaaaaaa)"), HasSubstr("[2, 2, 3]"), HasSubstr("F32")));
}

TEST_F(Inspect, VectorsShowTheirHeadlineNumbers) {
    ValueVectorSet set;
    set.provenance = toy_provenance();
    set.n_layer = 1;
    set.n_embd = 2;
    set.values = {"care"};
    set.resid_norm = {1};
    for (const Condition condition : {Condition::intrinsic, Condition::prompted}) {
        ValueVector vector;
        vector.value = "care";
        vector.condition = condition;
        vector.n_expressing = 11;
        vector.n_not_expressing = 12;
        vector.vector = {3, 4};
        vector.norm = {{5, 4, 6}};
        vector.split_half_cosine = {0.5};
        vector.auroc = {{0.75, 0.6, 0.9}};
        set.vectors.push_back(vector);
    }
    set.condition_cosine = {{1, 1, 1}};
    write_value_vectors(folder / "v.safetensors", set);
    const auto json = inspect(folder / "v.safetensors");
    EXPECT_EQ(json["kind"], "value vectors");
    EXPECT_EQ(json["statistics"]["vectors"][0]["n_expressing"], 11);
    const ProgramResult text = run_program({"inspect", (folder / "v.safetensors").string()});
    EXPECT_THAT(text.out, AllOf(HasSubstr("care/intrinsic"), HasSubstr("11 express"), HasSubstr("AUROC 0.750")));
}

TEST_F(Inspect, ATableOfNeuronsIsCounted) {
    write_file(folder / "neurons.csv",
               "value,layer,expert,neuron,norm,angle_shared,angle_intrinsic,angle_prompted,category\n"
               "care,0,,1,2.0,1.0,89.0,91.0,shared\ncare,0,,2,2.0,60.0,45.0,120.0,none\n"
               "power,1,,3,1.5,2.0,88.0,92.0,shared\n");
    write_file(folder / "neurons.json", "{\"model_name\": \"toy\", \"model_hash\": \"abc\"}");
    const auto json = inspect(folder / "neurons.csv");
    EXPECT_EQ(json["kind"], "neurons");
    EXPECT_EQ(json["facts"]["neurons"], "3");
    EXPECT_EQ(json["facts"]["care"], "1 none, 1 shared");
    EXPECT_EQ(json["provenance"]["model_hash"], "abc");
    write_file(folder / "neurons.json", "{\"model_hash\": 5, \"values\": [{\"value\": \"power\", \"chance\": "
                                        "{\"shared\": [0.5, 0, 2]}}, {\"value\": 3}]}");
    const auto with_chance = inspect(folder / "neurons.csv");
    EXPECT_EQ(with_chance["facts"]["power"], "1 shared (chance 0 [0, 2])");
    EXPECT_FALSE(with_chance.contains("provenance")) << "no text, no hash";
}

TEST_F(Inspect, ExportsAreDirections) {
    ValueVectorSet set;
    set.provenance = toy_provenance();
    set.n_layer = 3;
    set.n_embd = 2;
    set.values = {"care"};
    set.resid_norm = {1, 1, 1};
    for (const Condition condition : {Condition::intrinsic, Condition::prompted}) {
        ValueVector vector;
        vector.value = "care";
        vector.condition = condition;
        vector.vector = {3, 4, 1, 2, 5, 6};
        vector.norm.resize(3);
        vector.split_half_cosine.resize(3);
        vector.auroc.resize(3);
        set.vectors.push_back(vector);
    }
    set.condition_cosine.resize(3);
    write_value_vectors(folder / "v.safetensors", set);
    for (const char * format : {"gguf", "npz", "safetensors"}) {
        const auto file = folder / (std::string("out.") + format);
        const ProgramResult result =
            run_program({"export", "--from", (folder / "v.safetensors").string(), "--key", "care/intrinsic", "--format",
                         format, "--layers", "1-2", "--output", file.string()});
        ASSERT_EQ(result.exit_code, 0) << result.err;
        const auto json = inspect(file);
        EXPECT_EQ(json["kind"], "directions") << format;
        EXPECT_GE(json["tensors"].size(), 1u) << format;
    }
}

TEST_F(Inspect, ALoraShowsWhatItChanges) {
    const std::string model = test::TinyLanguageModel::mixture().write(folder / "m.gguf");
    write_file(folder / "n.csv", "layer,expert,neuron\n1,2,3\n1,2,4\n2,shared,0\n");
    const ProgramResult result = run_program({"export", "-m", model, "--scale-neurons", (folder / "n.csv").string(),
                                              "--format", "lora", "--output", (folder / "lora.gguf").string()});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const auto json = inspect(folder / "lora.gguf");
    EXPECT_EQ(json["kind"], "LoRA adapter");
    EXPECT_EQ(json["facts"]["architecture"], "qwen2moe");
    EXPECT_EQ(json["facts"]["weights changed"], "2");
    EXPECT_EQ(json["tensors"][0]["name"], "blk.1.ffn_down_exps.weight.lora_a");
    EXPECT_EQ(json["tensors"][0]["shape"], nlohmann::json({5, 2, 16}));
    EXPECT_EQ(json["tensors"][3]["shape"], nlohmann::json({32, 1}));
}

TEST_F(Inspect, ResultsShowTheirHeadlineNumbers) {
    Evaluation evaluation;
    evaluation.name = "pvq";
    evaluation.model_name = "toy";
    evaluation.variants = evaluation_variants({}, {}, nullptr);
    evaluation.group_kind = "value";
    evaluation.quantities = {"likeness"};
    evaluation.measures = {{"likeness", "likeness", "1 to 6", Aggregate::mean, false, true}};
    evaluation.rows = {{"likeness", "care", {{{4.25, 4, 4.5}, 3}}, {{}}}};
    write_evaluation(folder / "pvq.json", evaluation);
    EXPECT_EQ(inspect(folder / "pvq.json")["kind"], "evaluation");
    EXPECT_THAT(run_program({"inspect", (folder / "pvq.json").string()}).out, HasSubstr("4.250 [4.000, 4.500]"));

    write_file(folder / "tune.json",
               R"({"format": "valuelens.tune/1", "curves": [{"intervention": "a:power/shared", "layers": [3, 5],)"
               R"("points": [{}, {}], "above": {"strength": 2.5, "certain": null}, "below": null}]})");
    EXPECT_EQ(inspect(folder / "tune.json")["facts"]["a:power/shared, layers 3-5"],
              "2 strengths tried; chosen above 2.5, below none");

    write_file(folder / "neurons.json", R"({"n_neuron": [4], "values": [{"value": "care", "counts": {"shared": 7},)"
                                        R"("chance": {"shared": [1.5, 0, 3]}}]})");
    EXPECT_EQ(inspect(folder / "neurons.json")["facts"]["care"], "7 shared (chance 1.5 [0, 3])");
}

TEST_F(Inspect, LinesAreCountedAndConfigurationsListed) {
    write_file(folder / "out.jsonl", "{\"id\": 1, \"text\": \"a\"}\n\n{\"id\": 2}\n");
    const auto lines = inspect(folder / "out.jsonl");
    EXPECT_EQ(lines["kind"], "JSON lines");
    EXPECT_EQ(lines["facts"]["lines"], "2");
    EXPECT_EQ(lines["facts"]["text"], "in 1");
    write_file(folder / "bad.jsonl", "{\"id\": 1}\nno\n");
    expect_refused(folder / "bad.jsonl", {"bad.jsonl:2", "JSON object"});

    write_file(folder / "config.toml", "[model]\npath = \"m.gguf\"\nthreads = 2\n");
    const auto config = inspect(folder / "config.toml");
    EXPECT_EQ(config["kind"], "configuration");
    EXPECT_EQ(config["facts"]["model.path"], "m.gguf");
    EXPECT_EQ(config["facts"]["model.threads"], "2");
    write_file(folder / "bad.toml", "[model]\npath = \n");
    expect_refused(folder / "bad.toml", {"bad.toml:2"});
}

TEST_F(Inspect, TensorsNamedLikeOursShowTheirShapes) {
    const std::vector<float> values(6, 0.5f);
    const std::vector<FloatTensor> tensors = {{"care/shared", {2, 3}, values}};
    write_safetensors(folder / "alike.safetensors", tensors, {});
    const auto json = inspect(folder / "alike.safetensors");
    EXPECT_EQ(json["kind"], "tensors");
    EXPECT_EQ(json["tensors"][0]["shape"], nlohmann::json({2, 3}));
}

TEST_F(Inspect, AModelShowsItsShape) {
    const auto json = inspect(test::TinyLanguageModel::mixture().write(folder / "m.gguf"));
    EXPECT_EQ(json["kind"], "model");
    EXPECT_EQ(json["facts"]["n_embd"], "32");
}

TEST_F(Inspect, OtherFilesAreRefusedInOneSentence) {
    expect_refused(folder / "none.safetensors", {"none.safetensors", "no such file"});
    write_file(folder / "broken.safetensors", "not one");
    expect_refused(folder / "broken.safetensors", {"broken.safetensors"});
    write_file(folder / "notes.txt", "hello");
    expect_refused(folder / "notes.txt", {"notes.txt", "safetensors", "GGUF"});
    write_file(folder / "list.json", "[1, 2]");
    expect_refused(folder / "list.json", {"list.json", "JSON object"});
    write_file(folder / "empty.safetensors", "");
    expect_refused(folder / "empty.safetensors", {"empty.safetensors"});
    expect_refused(folder.path(), {"is not a run"});
}

} // namespace
} // namespace valuelens
