#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "pipeline/steer_files.h"
#include "store/activations.h"
#include "support/golden.h"

namespace valuelens {
namespace {

using test::Program;
using test::ProgramResult;
using test::run_program;
using testing::HasSubstr;

class CaptureCommand : public testing::Test {
protected:
    void SetUp() override {
        for (const char * type : {"original", "bf16", "f32"}) {
            model_ = model_.empty() ? test::cached_model("smollm2-135m", type) : model_;
        }
        if (model_.empty()) {
            FAIL() << "smollm2-135m is not in the cache; valuelens models fetch smollm2-135m";
        }
        write_file(input_,
                   "{\"id\": \"a\", \"system\": \"\", \"user\": \"How are you?\", \"response\": \"Fine, and you?\"}\n"
                   "{\"id\": \"b\", \"prompt\": \"Once upon\", \"response\": \" a time there was a fox\"}\n");
    }

    std::vector<std::string> arguments(const std::vector<std::string> & more) const {
        std::vector<std::string> all = {"capture",       "-m",       model_,          "--input",
                                        input_.string(), "--output", output_.string()};
        all.insert(all.end(), more.begin(), more.end());
        return all;
    }

    void expect_failure(const std::vector<std::string> & more, int exit_code,
                        const std::vector<std::string> & words) const {
        const ProgramResult result = run_program(arguments(more));
        EXPECT_EQ(result.exit_code, exit_code) << result.err;
        EXPECT_EQ(result.out, "");
        EXPECT_FALSE(std::filesystem::exists(output_));
        for (const std::string & word : words) {
            EXPECT_THAT(result.last_error_line(), HasSubstr(word));
        }
    }

    TempFolder folder_;
    std::string model_;
    std::filesystem::path input_ = folder_ / "t.jsonl";
    std::filesystem::path output_ = folder_ / "acts.safetensors";
};

TEST_F(CaptureCommand, PrintsOneJsonObjectAndWritesTheFile) {
    const ProgramResult result =
        run_program(arguments({"--json", "-np", "2", "-t", "2", "--locations", "resid_post,last_logits"}));
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const auto json = nlohmann::json::parse(result.out);
    EXPECT_EQ(json["captured"], 2);
    EXPECT_EQ(json["too_long"], nlohmann::json::array());
    EXPECT_THAT(result.err, HasSubstr("2/2 transcripts"));
    const ActivationReader reader({output_});
    EXPECT_THAT(reader.ids(), testing::UnorderedElementsAre("a", "b"));
    EXPECT_GT(reader.shape().n_vocab, 0u);
    EXPECT_EQ(reader.shape().n_ff, 0u);
}

TEST_F(CaptureCommand, QuietSaysNothingButTheResult) {
    const ProgramResult result = run_program(arguments({"--quiet"}));
    ASSERT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.err, "");
    EXPECT_THAT(result.out, HasSubstr("2 transcripts captured"));
}

TEST_F(CaptureCommand, BadInputIsNamedBeforeTheModelIsLoaded) {
    write_file(input_, read_file(input_) + "{\"id\": \"c\", \"user\": \"x\"}\n");
    const ProgramResult result = run_program(arguments({}));
    EXPECT_EQ(result.exit_code, 3);
    EXPECT_THAT(result.err, testing::AllOf(HasSubstr("t.jsonl:3"), HasSubstr("\"response\" is missing"),
                                           testing::Not(HasSubstr("load"))));
}

TEST_F(CaptureCommand, TranscriptsThatDoNotFitAreReported) {
    const ProgramResult result = run_program(arguments({"--json", "-c", "16"}));
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(nlohmann::json::parse(result.out)["too_long"], nlohmann::json::array({"a"}));
    EXPECT_THAT(result.err, HasSubstr("warning: "));
    std::filesystem::remove(output_);
    expect_failure({"-c", "2"}, 3, {"no transcript fits", "--ctx-size"});
}

TEST_F(CaptureCommand, WrongInterventionsAreRefused) {
    const std::string foreign = write_directions(folder_ / "foreign.safetensors").string();
    expect_failure({"--steer", foreign}, 2, {"FILE:KEY"});
    expect_failure({"--steer", foreign + ":care/shared,alpha=big"}, 2, {"alpha=big"});
    expect_failure({"--steer", foreign + ":care/shared"}, 3, {"foreign.safetensors", "maker"});
    expect_failure({"--steer", (folder_ / "none.safetensors").string() + ":k"}, 3, {"none.safetensors"});
    write_file(folder_ / "n.csv", "layer,neuron\n99,0\n");
    expect_failure({"--scale-neurons", (folder_ / "n.csv").string()}, 3, {"n.csv:2", "layer 99"});
}

TEST_F(CaptureCommand, AnOutputThatCannotBeWrittenIsSaidBeforeTheModelIsLoaded) {
    output_ = folder_ / "no-such-folder" / "acts.safetensors";
    expect_failure({}, 3, {"no-such-folder"});
}

TEST_F(CaptureCommand, CtrlCExitsWithSixAndLeavesNoFile) {
    std::string lines;
    std::string response;
    for (int i = 0; i < 400; ++i) {
        response += "again ";
    }
    for (int i = 0; i < 2000; ++i) { // many minutes of work
        lines += nlohmann::json({{"id", i}, {"prompt", "Number " + std::to_string(i)}, {"response", response}}).dump() +
                 "\n";
    }
    write_file(input_, lines);
    const Program program(arguments({"--json"}));
    ASSERT_TRUE(program.wait_for_error_output("load"));
    program.signal(SIGINT);
    const ProgramResult result = program.wait();
    EXPECT_EQ(result.exit_code, 6);
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(result.last_error_line(), "interrupted; no result was written, the same command starts over");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 1) << "only the input is left";
}

} // namespace
} // namespace valuelens
