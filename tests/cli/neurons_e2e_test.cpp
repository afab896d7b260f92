#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "cli/program.h"
#include "neurons/tiny_model.h"
#include "store/provenance.h"
#include "store/safetensors.h"

namespace valuelens {
namespace {

using test::ProgramResult;
using test::run_program;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

/// A tiny model, and axes of two values that `care` lacks at layer 1.
class NeuronsCommand : public testing::Test {
protected:
    void SetUp() override {
        model_ = test::write_dense(folder_ / "tiny.gguf", 1, 300, 16, 3);
        write_axes_file(axes_, test::random_axes(model_, {"care", "power"}, {{0, 1}}));
    }

    /// Tensors and provenance only, as any other tool might write them.
    static void write_axes_file(const std::filesystem::path & path, const AxisSet & set) {
        std::vector<FloatTensor> tensors;
        for (const ValueAxes & entry : set.axes) {
            tensors.push_back({entry.value + "/shared", {set.n_layer, set.n_embd}, entry.shared});
            tensors.push_back({entry.value + "/intrinsic", {set.n_layer, set.n_embd}, entry.intrinsic});
            tensors.push_back({entry.value + "/prompted", {set.n_layer, set.n_embd}, entry.prompted});
        }
        write_safetensors(path, tensors, provenance_metadata(set.provenance));
    }

    ProgramResult neurons(const std::vector<std::string> & more, const std::string & model = "") const {
        std::vector<std::string> arguments = {"neurons",       "-m",           model.empty() ? model_.path : model,
                                              "--axes",        axes_.string(), "--output",
                                              output_.string()};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return run_program(arguments);
    }

    void expect_refused(const ProgramResult & result, int exit_code, const std::vector<std::string> & words) const {
        EXPECT_EQ(result.exit_code, exit_code) << result.err;
        EXPECT_EQ(result.out, "");
        for (const std::string & word : words) {
            EXPECT_THAT(result.last_error_line(), HasSubstr(word));
        }
        EXPECT_FALSE(std::filesystem::exists(output_));
        EXPECT_FALSE(std::filesystem::exists(beside_));
    }

    TempFolder folder_;
    test::TinyModel model_;
    std::filesystem::path axes_ = folder_ / "axes.safetensors";
    std::filesystem::path output_ = folder_ / "neurons.csv";
    std::filesystem::path beside_ = folder_ / "neurons.json";
};

TEST_F(NeuronsCommand, WritesTheTableAndItsCompanion) {
    const ProgramResult result = neurons({"--json", "--top-percent", "5", "-t", "2", "--null-draws", "7"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const auto json = nlohmann::json::parse(result.out);
    EXPECT_EQ(json["output"], output_.string());
    EXPECT_EQ(json["json"], beside_.string());
    EXPECT_EQ(json["n_kept"], 30 + 45) << "5 % of two layers for care, of three for power";
    EXPECT_EQ(json["options"]["null_draws"], 7);
    EXPECT_EQ(json["options"]["scope"], "model");
    EXPECT_EQ(json["values"][0]["layers"]["shared"][1], 0);

    const auto beside = nlohmann::json::parse(read_file(beside_));
    EXPECT_EQ(beside["model_hash"], model_identity(model_.path));
    EXPECT_EQ(beside["values"], json["values"]);
    EXPECT_THAT(beside["notes"][0].get<std::string>(), HasSubstr("care: its axes are undefined at layer 1"));
    std::size_t lines = 0;
    for_each_line(output_, [&](std::string_view line, std::size_t number) {
        ++lines;
        EXPECT_EQ(line.starts_with(number == 1    ? "value,layer,expert,neuron,norm,"
                                   : number <= 31 ? "care,"
                                                  : "power,"),
                  true)
            << line;
    });
    EXPECT_EQ(lines, 76u);
}

TEST_F(NeuronsCommand, TheTableOfAMixtureScalesItsExperts) {
    model_ = test::write_language_mixture(folder_ / "mixture.gguf");
    write_axes_file(axes_, test::random_axes(model_, {"care"}));
    ASSERT_EQ(neurons({"--top-percent", "50", "--null-draws", "0"}).exit_code, 0);
    const std::string table = read_file(output_);
    EXPECT_THAT(table, HasSubstr(",shared,")); // a shared expert, or the category
    const ProgramResult result =
        run_program({"sample", "-m", model_.path, "--prompt", "Hello", "-n", "6", "-t", "1", "--json",
                     "--scale-neurons", output_.string() + ",value=care,category=shared,beta=4"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(nlohmann::json::parse(result.out)["samples"].size(), 2u);
    const ProgramResult evaluated =
        run_program({"eval", "multiple-choice", "-m", model_.path, "--limit", "3", "--bootstraps", "0", "-t", "1",
                     "--json", "--scale-neurons", output_.string() + ",value=care,category=shared,beta=4", "--output",
                     (folder_ / "mc.json").string()});
    ASSERT_EQ(evaluated.exit_code, 0) << evaluated.err;
    const auto rows = nlohmann::json::parse(evaluated.out)["results"];
    ASSERT_EQ(rows[0]["measure"], "accuracy");
    double moved = 0;
    for (const auto & row : rows) {
        if (row["measure"] == "answer_probability" && row["differences"][1]["estimate"][0].is_number()) {
            moved += std::abs(row["differences"][1]["estimate"][0].get<double>());
        }
    }
    EXPECT_GT(moved, 1e-3) << "scaled experts change the answers";
}

TEST_F(NeuronsCommand, TheSameCommandWritesTheSameBytes) {
    ASSERT_EQ(neurons({"-t", "1"}).exit_code, 0);
    const std::string table = read_file(output_);
    const std::string beside = read_file(beside_);
    ASSERT_EQ(neurons({"-t", "3"}).exit_code, 0);
    EXPECT_EQ(read_file(output_), table);
    EXPECT_EQ(read_file(beside_), beside);
    ASSERT_EQ(neurons({"--seed", "5"}).exit_code, 0);
    EXPECT_EQ(read_file(output_), table) << "the seed draws the planes of chance only";
    EXPECT_NE(read_file(beside_), beside);
}

TEST_F(NeuronsCommand, TextSaysCountsAgainstChance) {
    const ProgramResult result = neurons({"--top-percent", "10", "--anti-shared", "--scope", "layer", "--quiet"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, AllOf(HasSubstr("top 10 % of 900 neurons, layer by layer"), HasSubstr("40 random planes"),
                                  HasSubstr("anti_shared"), HasSubstr("care "), HasSubstr("care and power: "),
                                  HasSubstr("undefined at layer 1"), HasSubstr(beside_.string())));
    const ProgramResult bare = neurons({"--values", "power", "--null-draws", "0"});
    ASSERT_EQ(bare.exit_code, 0) << bare.err;
    EXPECT_THAT(bare.out, AllOf(HasSubstr("power "), Not(HasSubstr("care")), Not(HasSubstr("random planes")),
                                Not(HasSubstr("overlap"))));
}

TEST_F(NeuronsCommand, AxesOfAnotherModelAreRefused) {
    const std::string other = test::write_dense(folder_ / "other.gguf", 2, 300, 16, 3).path;
    const ProgramResult result =
        run_program({"neurons", "-m", other, "--axes", axes_.string(), "--output", (folder_ / "o.csv").string()});
    EXPECT_EQ(result.exit_code, 3);
    EXPECT_THAT(result.last_error_line(),
                AllOf(HasSubstr("axes.safetensors"), HasSubstr("made with model tiny"), HasSubstr("same model file")));
    EXPECT_FALSE(std::filesystem::exists(folder_ / "o.csv"));
}

TEST_F(NeuronsCommand, WhatCannotBeUsedIsOneSentence) {
    expect_refused(neurons({}, (folder_ / "none.gguf").string()), 4, {"none.gguf"});
    write_file(folder_ / "text.gguf", "a text");
    expect_refused(neurons({}, (folder_ / "text.gguf").string()), 4, {"text.gguf", "not a GGUF file"});
    expect_refused(neurons({"--values", "care,honour"}), 3, {"\"honour\"", "care, power"});
    expect_refused(neurons({"--top-percent", "0"}), 2, {"top_percent is 0"});
    expect_refused(neurons({"--max-angle", "60"}), 2, {"max_angle is 60"});
    expect_refused(neurons({"--scope", "block"}), 2, {"--scope"});
    expect_refused(run_program({"neurons", "-m", model_.path, "--axes", axes_.string()}), 2, {"--output"});
    expect_refused(run_program({"neurons", "-m", model_.path, "--axes", axes_.string(), "--output", beside_.string()}),
                   2, {"neurons.json", ".csv"});
    expect_refused(run_program({"neurons", "-m", model_.path, "--axes", (folder_ / "no.safetensors").string(),
                                "--output", output_.string()}),
                   3, {"no.safetensors"});
    write_file(axes_, "no axes");
    expect_refused(neurons({}), 3, {"axes.safetensors"});
}

} // namespace
} // namespace valuelens
