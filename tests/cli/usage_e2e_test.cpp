#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/program.h"

namespace valuelens {
namespace {

using test::ProgramResult;
using test::run_program;
using testing::HasSubstr;

/// An error: that exit code, nothing on stdout, one sentence on stderr that holds the words.
void expect_failure(const std::vector<std::string> & arguments, int exit_code, const std::vector<std::string> & words) {
    const ProgramResult result = run_program(arguments);
    EXPECT_EQ(result.exit_code, exit_code) << result.err;
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_THAT(result.err, testing::StartsWith("error: "));
    for (const std::string & word : words) {
        EXPECT_THAT(result.err, HasSubstr(word));
    }
}

TEST(Usage, VersionAndHelpGoToStdout) {
    const ProgramResult version = run_program({"--version"});
    EXPECT_EQ(version.exit_code, 0);
    EXPECT_EQ(version.out, "valuelens " VALUELENS_VERSION "\n");
    for (const char * command :
         {"run", "generate", "judge", "vectors", "status", "judge-train", "judge-check", "capture"}) {
        const ProgramResult help = run_program({command, "--help"});
        EXPECT_EQ(help.exit_code, 0) << command;
        EXPECT_EQ(help.err, "") << command;
        EXPECT_THAT(help.out, HasSubstr("Example:")) << command;
        EXPECT_THAT(help.out, HasSubstr("--json")) << command;
    }
    EXPECT_THAT(run_program({"capture", "--help"}).out,
                testing::AllOf(HasSubstr("-ngl"), HasSubstr("-np"), HasSubstr("--kv-type")));
}

TEST(Usage, WrongCommandLinesExitWithTwo) {
    expect_failure({}, 2, {"subcommand", "valuelens --help"});
    expect_failure({"captur"}, 2, {"captur", "valuelens --help"});
    expect_failure({"models"}, 2, {"valuelens models --help"});
    expect_failure({"models", "steal"}, 2, {"steal", "valuelens models --help"});
    expect_failure({"capture"}, 2, {"required", "valuelens capture --help"});
    expect_failure({"capture", "-m", "x", "--input", "i", "--output", "o", "--locatoins", "resid_post"}, 2,
                   {"--locatoins"});
    expect_failure({"capture", "-m", "x", "--input", "i", "--output", "o", "--locations", "resid_pre"}, 2,
                   {"resid_pre"});
    expect_failure({"models", "fetch", "smollm2-135m", "--type", "q3"}, 2, {"q3", "bf16"});
    expect_failure({"vectors"}, 2, {"--run", "--activations", "--labels", "--output"});
    expect_failure({"vectors", "--run", "r", "--labels", "l"}, 2, {"--run"});
}

TEST(Usage, EngineOptionsAreNamedAsInLlamaCpp) {
    const auto capture = [](std::vector<std::string> more) {
        std::vector<std::string> arguments = {"capture", "-m", "no-such.gguf", "--input", "i", "--output", "o"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return arguments;
    };
    // All is understood, so the first thing wrong is the model.
    expect_failure(capture({"-ngl", "0", "-np", "4", "-t", "2", "-c", "512", "--seed", "3", "--kv-type", "f16",
                            "--date", "2025-01-31", "--chat-template", "{{ messages }}", "--chat-template-kwargs",
                            "{\"enable_thinking\": false}"}),
                   4, {"no-such.gguf"});
    expect_failure(capture({"-ngl=-1", "-np=4"}), 4, {"no-such.gguf"});
    expect_failure(capture({"-np", "0"}), 2, {"--parallel"});
    expect_failure(capture({"-ngl", "many"}), 2, {"--n-gpu-layers", "many"});
    expect_failure(capture({"--date", "tomorrow"}), 2, {"tomorrow", "YYYY-MM-DD"});
    expect_failure(capture({"--chat-template-kwargs", "[1]"}), 2, {"[1]", "JSON object"});
    expect_failure(capture({"--chat-template", "no-such.jinja"}), 2,
                   {"no-such.jinja", "neither a file nor a Jinja template"});
    expect_failure(capture({"--threads", "-2"}), 2, {"--threads"});
}

TEST(Usage, MissingFilesAreBadInput) {
    TempFolder folder;
    const std::string none = (folder / "none").string();
    expect_failure(
        {"vectors", "--activations", none, "--labels", none, "--output", (folder / "v.safetensors").string()}, 3,
        {none});
    expect_failure(
        {"vectors", "--activations", none, "--labels", none, "--output", (folder / "no/v.safetensors").string()}, 3,
        {"no/v.safetensors"});
    expect_failure({"run", none, "--run", (folder / "r").string()}, 3, {none});
    expect_failure({"status", "--run", none}, 3, {none, "not a run"});
}

TEST(Models, ListIsOneJsonObject) {
    const ProgramResult result = run_program({"models", "list", "--json"});
    EXPECT_EQ(result.exit_code, 0);
    const auto json = nlohmann::json::parse(result.out);
    EXPECT_EQ(json["models"][0]["name"], "smollm2-135m");
    EXPECT_EQ(json["models"].size(), 4u);
    EXPECT_THAT(run_program({"models", "list"}).out, HasSubstr("gemma3-270m"));
}

TEST(Models, UnusableOnesExitWithFour) {
    TempFolder folder;
    const auto junk = folder / "junk.gguf";
    write_file(junk, "this is no model");
    expect_failure({"models", "info", junk.string()}, 4, {"junk.gguf", "GGUF"});
    expect_failure({"models", "info", (folder / "none.gguf").string()}, 4, {"none.gguf"});
    expect_failure({"models", "fetch", "gpt-5"}, 4, {"gpt-5", "smollm2-135m"});
}

} // namespace
} // namespace valuelens
