// `valuelens run` and its neighbours, through the program.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "pipeline/small_run.h"

namespace valuelens {
namespace {

namespace fs = std::filesystem;
using test::Program;
using test::ProgramResult;
using test::run_program;
using test::SmallRun;
using testing::HasSubstr;

class RunCommand : public testing::Test {
protected:
    static void require_model() {
        ASSERT_TRUE(SmallRun::has_model())
            << "smollm2-135m-bf16 is not in the cache: valuelens models fetch smollm2-135m";
    }

    std::vector<std::string> command(std::vector<std::string> more = {}) const {
        std::vector<std::string> arguments = {"run", files.config().string(), "--run", files.run().string()};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return arguments;
    }

    nlohmann::json status() const {
        const ProgramResult result = run_program({"status", "--run", files.run().string(), "--json"});
        EXPECT_EQ(result.exit_code, 0) << result.err;
        return nlohmann::json::parse(result.out);
    }

    /// An error: that exit code, nothing on stdout, and on stderr one line that is an error and holds the words.
    static void expect_failure(const std::vector<std::string> & arguments, int exit_code,
                               const std::vector<std::string> & words) {
        const ProgramResult result = run_program(arguments);
        EXPECT_EQ(result.exit_code, exit_code) << result.err;
        EXPECT_EQ(result.out, "");
        EXPECT_THAT(result.last_error_line(), testing::StartsWith("error: "));
        const std::size_t first = result.err.find("error: ");
        EXPECT_EQ(first, result.err.rfind("error: ")) << result.err;
        for (const std::string & word : words) {
            EXPECT_THAT(result.last_error_line(), HasSubstr(word));
        }
    }

    SmallRun files;
};

TEST_F(RunCommand, DoesAllStagesAndPrintsOneJsonObject) {
    require_model();
    const ProgramResult result = run_program(command({"--json"}));
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const auto json = nlohmann::json::parse(result.out);
    EXPECT_EQ(json["run"], files.run().string());
    EXPECT_EQ(json["responses"], 18);
    EXPECT_EQ(json["queries"], 6);
    ASSERT_EQ(json["values"].size(), 2u);
    EXPECT_EQ(json["values"][0]["value"], "grandparent");
    EXPECT_EQ(json["values"][0]["intrinsic"]["expressing"], 3);
    EXPECT_GT(json["values"][0]["prompted"]["norm"][0], 0);
    for (const auto & file : json["files"]) {
        EXPECT_TRUE(fs::exists(file["name"].get<std::string>())) << file;
    }
    for (const char * file : {"config.toml", "run.sqlite", "vectors.safetensors", "axes.safetensors", "geometry.json",
                              "neurons.csv", "report.html"}) {
        EXPECT_TRUE(fs::exists(files.run() / file)) << file;
    }
    EXPECT_THAT(result.err,
                testing::ContainsRegex("generate: 18 responses to write, up to 108 tokens in all, [0-9]+ MB "
                                       "of disk, about [0-9]+ seconds here at most"));

    const auto done = status();
    EXPECT_EQ(done["next"], "nothing");
    EXPECT_EQ(done["slices_planned"], 3);
    EXPECT_EQ(done["slices_judged"], 3);
    EXPECT_EQ(done["intrinsic"], 6);
    EXPECT_EQ(done["prompted"], 12);
    EXPECT_EQ(done["has_vectors"], true);

    const ProgramResult again = run_program(command());
    EXPECT_EQ(again.exit_code, 0) << again.err;
    EXPECT_THAT(again.err, HasSubstr("done before"));
    EXPECT_THAT(again.out, testing::AllOf(HasSubstr("18 responses"), HasSubstr("pirate")));

    expect_failure(command({"--seed", "9"}), 2, {"seed (was 3, now 9)", "--run"});
    files.write_config("", 7);
    expect_failure(command(), 2, {"generate.max_tokens (was 6, now 7)"});

    // One stage alone, from the run's own config: another least number than the config's is given on the command line.
    const ProgramResult vectors = run_program({"vectors", "--run", files.run().string(), "--min-count", "3", "--json"});
    ASSERT_EQ(vectors.exit_code, 0) << vectors.err;
    const auto fewer = nlohmann::json::parse(vectors.out);
    EXPECT_EQ(fewer["values"][0]["intrinsic"]["problem"], "");
    EXPECT_NE(fewer["values"][1]["intrinsic"]["problem"], "") << "2 of 6 are fewer than 3";
}

TEST_F(RunCommand, CtrlCExitsWithSixAndTheSameCommandGoesOn) {
    require_model();
    files.write_config("", 48, 3); // six slices of a second or so
    {
        const Program program(command({"--json"}));
        ASSERT_TRUE(program.wait_for_file(files.run() / "activations/shard-00000.safetensors"));
        program.signal(SIGINT);
        const ProgramResult result = program.wait();
        EXPECT_EQ(result.exit_code, 6) << result.err;
        EXPECT_EQ(result.out, "");
        EXPECT_EQ(result.last_error_line(), "interrupted; run the same command again to go on");
    }
    const auto stopped = status();
    EXPECT_EQ(stopped["next"], "generate");
    EXPECT_GE(stopped["slices_generated"], 1);
    EXPECT_LT(stopped["slices_generated"], 6);
    for (const auto & entry : fs::recursive_directory_iterator(files.run())) {
        EXPECT_THAT(entry.path().filename().string(), testing::Not(HasSubstr("tmp"))) << "a half-written file is left";
    }
    const ProgramResult result = run_program(command({"--json"}));
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(nlohmann::json::parse(result.out)["responses"], 18);
    EXPECT_EQ(status()["next"], "nothing");
}

TEST_F(RunCommand, AKilledRunEndsWithTheSameBytes) {
    require_model();
    files.write_config("", 12, 3);
    {
        const Program program(command());
        ASSERT_TRUE(program.wait_for_file(files.run() / "activations/shard-00001.safetensors"));
        program.signal(SIGKILL);
        ASSERT_EQ(program.wait().exit_code, -1);
    }
    ASSERT_LT(status()["slices_generated"], 6);
    ASSERT_EQ(run_program(command()).exit_code, 0);
    const std::string resumed = read_file(files.run() / "vectors.safetensors");
    fs::remove_all(files.run());
    ASSERT_EQ(run_program(command()).exit_code, 0);
    EXPECT_TRUE(read_file(files.run() / "vectors.safetensors") == resumed);
}

TEST_F(RunCommand, WrongConfigsAreUsageErrors) {
    files.write_config("bootstrap = 5\n");
    expect_failure(command(), 2, {"config.toml:", "'vectors.bootstrap'", "unknown key"});
    files.write_config("confidence = 2\n");
    expect_failure(command(), 2, {"config.toml:", "vectors.confidence", "from 0 to 1"});
    files.write("config.toml", "[judge\n");
    expect_failure(command(), 2, {"config.toml:1"});
    expect_failure({"run", (files.folder / "none.toml").string()}, 3, {"none.toml", "no such file"});
    EXPECT_FALSE(fs::exists(files.run())) << "nothing was begun";
}

TEST_F(RunCommand, WrongInputsAreNamed) {
    files.write("queries.jsonl", "");
    expect_failure(command(), 3, {"queries.jsonl", "empty"});
    files.write("queries.jsonl", "{\"id\": \"a\", \"text\": \"Hi\"}\n{\"id\": \"b\", \"text\": \" \"}\n");
    expect_failure(command(), 3, {"queries.jsonl:2"});
    files.write("queries.jsonl", "{\"id\": \"a\", \"text\": \"Hi\"}\n");
    files.write("templates.jsonl", "{\"id\": \"t\"}\n");
    expect_failure(command(), 3, {"templates.jsonl:1", "\"text\" is missing"});
    files.write("templates.jsonl", "{\"id\": \"t\", \"text\": \"You are a {value}.\"}\n");
    files.write("personas.toml",
                "name = \"pair\"\n[[value]]\nid = \"Grand Parent\"\nname = \"x\"\ndefinition = \"y\"\n");
    expect_failure(command(), 3, {"personas.toml:"});
}

TEST_F(RunCommand, AMissingModelExitsWithFour) {
    expect_failure(command({"-m", "no-such.gguf"}), 4, {"no-such.gguf"});
    expect_failure(command({"-m", "gpt-5"}), 4, {"gpt-5", "smollm2-135m"});
    files.write("junk.gguf", "this is no model");
    expect_failure(command({"-m", (files.folder / "junk.gguf").string()}), 4, {"junk.gguf", "GGUF"});
}

TEST_F(RunCommand, LabelsThatFitNoValueExitWithThree) {
    require_model();
    files.write("labels.jsonl", "{\"id\": \"q0/intrinsic\", \"value\": \"grandparent\", \"expresses\": true}\n"
                                "{\"id\": \"q0/intrinsic\", \"value\": \"princess\", \"expresses\": true}\n");
    expect_failure(command(), 3, {"labels.jsonl:2", "'princess'", "pair"});
    EXPECT_EQ(status()["next"], "generate") << "what the judge cannot use is said before anything is generated";
    EXPECT_EQ(status()["slices_generated"], 0);
    files.write_labels(true);
    const ProgramResult result = run_program(command());
    EXPECT_EQ(result.exit_code, 0) << result.err;
}

TEST_F(RunCommand, ARunHasOneProcessAtATime) {
    require_model();
    files.write_config("", 48, 3);
    const Program program(command());
    ASSERT_TRUE(program.wait_for_file(files.run() / "activations/shard-00000.safetensors"));
    expect_failure(
        command(), 2,
        {files.run().string(), fmt::format("process {} on host ", program.id()), "(valuelens run) since 20"});
    EXPECT_GE(status()["slices_generated"], 1) << "looking is allowed";
    program.signal(SIGTERM);
    EXPECT_EQ(program.wait().exit_code, 6);
    const ProgramResult resumed = run_program(command({"--json"}));
    ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
    EXPECT_EQ(nlohmann::json::parse(resumed.out)["responses"], 18) << "a terminated run goes on, too";
}

TEST_F(RunCommand, StagesWithoutARunAreRefused) {
    const std::string none = (files.folder / "none").string();
    for (const char * stage : {"generate", "judge", "vectors", "decompose", "neurons"}) {
        expect_failure({stage, "--run", none}, 2, {none, "is not a run", "valuelens run"});
        EXPECT_FALSE(fs::exists(none)) << stage << " leaves no folder behind";
        fs::remove_all(none);
    }
    expect_failure({"status", "--run", none}, 3, {none, "is not a run"});
}

} // namespace
} // namespace valuelens
