#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "pipeline/steer_files.h"
#include "support/golden.h"

namespace valuelens {
namespace {

using test::ProgramResult;
using test::run_program;
using testing::HasSubstr;

class SampleCommand : public testing::Test {
protected:
    void SetUp() override {
        for (const char * type : {"original", "bf16", "f32"}) {
            model_ = model_.empty() ? test::cached_model("smollm2-135m", type) : model_;
        }
        if (model_.empty()) {
            FAIL() << "smollm2-135m is not in the cache; valuelens models fetch smollm2-135m";
        }
    }

    std::vector<std::string> arguments(const std::vector<std::string> & more) const {
        std::vector<std::string> all = {"sample", "-m", model_, "-t", "1", "-n", "6"};
        all.insert(all.end(), more.begin(), more.end());
        return all;
    }
    void expect_failure(const std::vector<std::string> & more, int exit_code,
                        const std::vector<std::string> & words) const {
        const ProgramResult result = run_program(arguments(more));
        EXPECT_EQ(result.exit_code, exit_code) << result.err;
        EXPECT_EQ(result.out, "");
        for (const std::string & word : words) {
            EXPECT_THAT(result.last_error_line(), HasSubstr(word));
        }
        EXPECT_FALSE(std::filesystem::exists(output_));
    }

    TempFolder folder_;
    std::string model_;
    std::filesystem::path input_ = folder_ / "p.jsonl";
    std::filesystem::path output_ = folder_ / "out.jsonl";
};

TEST_F(SampleCommand, OnePromptIsAnsweredSideBySide) {
    write_file(folder_ / "n.csv", "layer,neuron\n3,1\n");
    const std::string scale = (folder_ / "n.csv").string() + ",beta=5";
    const ProgramResult result =
        run_program(arguments({"--prompt", "Name a colour.", "--system", "", "--scale-neurons", scale}));
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_TRUE(result.out.starts_with("== base ==\n")) << result.out;
    EXPECT_THAT(result.out, HasSubstr("\n\n== " + scale + " ==\n"));

    const ProgramResult json =
        run_program(arguments({"--prompt", "Name a colour.", "--system", "", "--scale-neurons", scale, "--json"}));
    ASSERT_EQ(json.exit_code, 0) << json.err;
    const auto parsed = nlohmann::json::parse(json.out);
    ASSERT_EQ(parsed["samples"].size(), 2u);
    EXPECT_EQ(parsed["samples"][0]["intervention"], "base");
    for (const auto & sample : parsed["samples"]) {
        EXPECT_THAT(result.out, HasSubstr(sample["text"].get<std::string>() + "\n")) << "what was streamed";
    }
}

TEST_F(SampleCommand, AFileOfPromptsGivesAFileOfAnswers) {
    write_file(input_, "{\"id\": \"a\", \"user\": \"Hello\"}\n{\"id\": \"b\", \"user\": \"Good night\"}\n");
    const ProgramResult result = run_program(
        arguments({"--input", input_.string(), "--output", output_.string(), "--temp", "0.7", "--top-p", "0.9"}));
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, HasSubstr("2 prompts"));
    const std::string lines = read_file(output_);
    EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2);
}

TEST_F(SampleCommand, BadInputIsOneSentenceWithItsCode) {
    expect_failure({}, 2, {"--input", "--prompt"});
    expect_failure({"--prompt", " "}, 2, {"--prompt is empty"});
    expect_failure({"--prompt", "x", "--input", "p"}, 2, {"--input"});
    expect_failure({"--input", input_.string()}, 2, {"--output"});
    expect_failure({"--prompt", "x", "--together"}, 2, {"--together"});
    expect_failure({"--prompt", "x", "--top-p", "2"}, 2, {"--top-p"});
    expect_failure({"--input", input_.string(), "--output", output_.string()}, 3, {"p.jsonl"});
    write_file(input_, "{\"id\": \"a\"}\n");
    expect_failure({"--input", input_.string(), "--output", output_.string()}, 3, {"p.jsonl:1", "user"});
    const std::string foreign = write_directions(folder_ / "foreign.safetensors").string();
    expect_failure({"--prompt", "x", "--steer", foreign + ":care/shared"}, 3, {"foreign.safetensors", "maker"});
    expect_failure({"--prompt", "x", "-c", "4"}, 3, {"no prompt fits"});
}

} // namespace
} // namespace valuelens
