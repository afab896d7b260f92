#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "pipeline/steer_files.h"
#include "steer/directions.h"
#include "store/safetensors.h"
#include "support/gguf_writer.h"
#include "support/tiny_language_model.h"

namespace valuelens {
namespace {

using test::ProgramResult;
using test::run_program;
using testing::HasSubstr;

class ExportCommand : public testing::Test {
protected:
    std::vector<std::string> direction(const std::string & format, const std::string & output,
                                       const std::vector<std::string> & more = {}) const {
        std::vector<std::string> all = {"export", "--from",      axes_.string(),
                                        "--key",  "care/shared", "--format",
                                        format,   "--output",    (folder_ / output).string()};
        all.insert(all.end(), more.begin(), more.end());
        return all;
    }
    void expect_failure(const std::vector<std::string> & arguments, int exit_code,
                        const std::vector<std::string> & words) const {
        const ProgramResult result = run_program(arguments);
        EXPECT_EQ(result.exit_code, exit_code) << result.err;
        EXPECT_EQ(result.out, "");
        for (const std::string & word : words) {
            EXPECT_THAT(result.last_error_line(), HasSubstr(word));
        }
        EXPECT_FALSE(std::filesystem::exists(folder_ / "out"));
    }
    TempFolder folder_;
    std::filesystem::path axes_ = write_directions(folder_ / "axes.safetensors");
};

TEST_F(ExportCommand, WritesAControlVectorAndSaysWhatIsLeftOut) {
    const ProgramResult result = run_program(direction("gguf", "cv.gguf", {"--json", "--alpha", "2"}));
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const auto json = nlohmann::json::parse(result.out);
    EXPECT_EQ(json["layers"], nlohmann::json({1, 2}));
    EXPECT_EQ(json["n_embd"], 2);
    EXPECT_THAT(result.err, HasSubstr("warning: "));
    EXPECT_THAT(result.err, HasSubstr("block 0 has no place"));
    EXPECT_THAT(read_directions(folder_ / "cv.gguf", "", RowLocation::layer_output).rows,
                testing::ElementsAre(12, 16, 0, 0));
}

TEST_F(ExportCommand, WhatItWritesCanBeExportedAgain) {
    ASSERT_EQ(run_program(direction("npz", "d.npz", {"--layers", "1"})).exit_code, 0);
    axes_ = folder_ / "d.npz";
    const ProgramResult result = run_program(direction("safetensors", "d.safetensors", {"--unit", "resid"}));
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, HasSubstr("layer 1, 2 numbers each"));
    EXPECT_THAT(read_directions(folder_ / "d.safetensors", "care/shared", RowLocation::layer_output).rows,
                testing::ElementsAre(12, 16)); // 20 long
}

TEST_F(ExportCommand, WritesLoraAndPeftOfScaledNeurons) {
    test::GgufWriter gguf("llama");
    gguf.number("llama.block_count", 1);
    gguf.number("llama.embedding_length", 2);
    gguf.number("llama.feed_forward_length", 3);
    gguf.tensor("blk.0.ffn_down.weight", {3, 2}, std::vector<float>{1, 2, 3, 4, 5, 6});
    const std::string model = gguf.write(folder_ / "m.gguf");
    write_file(folder_ / "n.csv", "layer,neuron\n0,1\n0,2\n");
    const auto arguments = [&](const std::string & format, const std::string & name) {
        return std::vector<std::string>{
            "export",   "-m",   model,      "--scale-neurons",        (folder_ / "n.csv").string(),
            "--format", format, "--output", (folder_ / name).string()};
    };
    const ProgramResult lora = run_program(arguments("lora", "lora.gguf"));
    EXPECT_EQ(lora.exit_code, 0) << lora.err;
    EXPECT_THAT(lora.out, HasSubstr("2 neurons in layer 0, rank 2"));
    EXPECT_TRUE(std::filesystem::exists(folder_ / "lora.gguf"));
    const ProgramResult peft = run_program(arguments("peft", "peft"));
    EXPECT_EQ(peft.exit_code, 0) << peft.err;
    EXPECT_TRUE(std::filesystem::exists(folder_ / "peft" / "adapter_model.safetensors"));
    expect_failure({"sample", "-m", (folder_ / "lora.gguf").string(), "--prompt", "x"}, 4, {"LoRA adapter"});
}

TEST_F(ExportCommand, WritesAModelWithoutADirection) {
    const std::string model = test::TinyLanguageModel::dense().write(folder_ / "m.gguf");
    const std::vector<float> rows(3 * test::TinyLanguageModel::n_embd, 1.0f);
    const std::vector<FloatTensor> tensors = {{"care/shared", {3, test::TinyLanguageModel::n_embd}, rows}};
    write_safetensors(folder_ / "d.safetensors", tensors, {});
    const auto arguments = [&](const std::vector<std::string> & more, const std::string & output) {
        std::vector<std::string> all = {"export",   "--ablate",
                                        "-m",       model,
                                        "--from",   (folder_ / "d.safetensors").string(),
                                        "--key",    "care/shared",
                                        "--output", (folder_ / output).string()};
        all.insert(all.end(), more.begin(), more.end());
        return all;
    };
    const ProgramResult result = run_program(arguments({"--layers", "1", "--json"}, "ablated.gguf"));
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const auto json = nlohmann::json::parse(result.out);
    EXPECT_EQ(json["tensors_changed"], 13) << "embedding; two matrices with their biases in each of three blocks";
    EXPECT_EQ(json["tensors_widened"], 0);
    const ProgramResult info = run_program({"models", "info", (folder_ / "ablated.gguf").string(), "--json"});
    EXPECT_EQ(info.exit_code, 0) << info.err;
    EXPECT_THAT(info.out, HasSubstr("(ablated)"));
    expect_failure(arguments({}, "out"), 2, {"--layers N"});
    expect_failure(arguments({"--layers", "0-1"}, "out"), 2, {"--layers N"});
    expect_failure(arguments({"--layers", "1", "--alpha", "2"}, "out"), 2, {"--alpha"});
    expect_failure(arguments({"--format", "gguf"}, "out"), 2, {"--format", "--ablate"});
}

TEST_F(ExportCommand, BadInputIsOneSentenceWithItsCode) {
    expect_failure(direction("gguf", "out", {"--layers", "2-1"}), 2, {"--layers 2-1", "A-B"});
    expect_failure(direction("gguf", "out", {"--layers", "0"}), 2, {"block 0"});
    expect_failure(direction("gguf", "out", {"--layers", "2", "--unit", "resid"}), 3, {"zero", "layer 2"});
    expect_failure(direction("zip", "out"), 2, {"--format"});
    expect_failure(direction("gguf", "no/out"), 3, {"no/out"});
    expect_failure(direction("lora", "out"), 2, {"--scale-neurons"});
    expect_failure({"export", "--from", axes_.string(), "--format", "npz", "--output", (folder_ / "out").string()}, 2,
                   {"KEY"});
    axes_ = folder_ / "none.safetensors";
    expect_failure(direction("gguf", "out"), 3, {"none.safetensors"});
    write_file(axes_, "no tensors");
    expect_failure(direction("gguf", "out"), 3, {"none.safetensors"});
}

} // namespace
} // namespace valuelens
