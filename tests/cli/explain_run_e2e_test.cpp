// `explain --run`: model, neurons, axes and responses come from a run's folder.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <set>

#include "cli/program.h"
#include "pipeline/small_run.h"
#include "store/run_db.h"

namespace valuelens {
namespace {

using nlohmann::json;
using test::Program;
using test::ProgramResult;
using test::run_program;
using test::SmallRun;
using testing::HasSubstr;

class ExplainRunCommand : public testing::Test {
protected:
    static void SetUpTestSuite() {
        if (!SmallRun::has_model()) {
            return;
        }
        files_ = std::make_unique<SmallRun>();
        files_->write_config("", 16);
        const ProgramResult result = run_program({"run", files_->config().string(), "--run", files_->run().string()});
        ASSERT_EQ(result.exit_code, 0) << result.err;
    }
    static void TearDownTestSuite() { files_.reset(); }

    void SetUp() override {
        ASSERT_TRUE(SmallRun::has_model())
            << "smollm2-135m-bf16 is not in the cache: valuelens models fetch smollm2-135m";
    }

    /// Positive poles of one value's neurons, one a category, from few and short excerpts.
    static std::vector<std::string> command(const std::vector<std::string> & more) {
        std::vector<std::string> arguments = {"explain",
                                              "--run",
                                              files_->run().string(),
                                              "--values",
                                              "pirate",
                                              "--poles",
                                              "positive",
                                              "--per-category",
                                              "1",
                                              "--window",
                                              "8",
                                              "--top",
                                              "6",
                                              "--examples",
                                              "3",
                                              "--json"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return arguments;
    }

    static std::vector<json> lines(const std::filesystem::path & file) {
        std::vector<json> all;
        for_each_line(file, [&](std::string_view line, std::size_t) { all.push_back(json::parse(line)); });
        return all;
    }

    static inline std::unique_ptr<SmallRun> files_;
};

TEST_F(ExplainRunCommand, TakesModelNeuronsAxesAndResponsesFromTheRun) {
    const ProgramResult result = run_program(command({"--categories", "shared,intrinsic", "--scores", "simulation"}));
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const json summary = json::parse(result.out);
    const std::filesystem::path output = files_->run() / "explanations.jsonl";
    EXPECT_EQ(summary["output"], output.string());
    EXPECT_EQ(summary["documents"], 18) << "the run's responses";
    EXPECT_EQ(summary["neurons"], 2);
    EXPECT_THAT(summary["notes"].dump(), HasSubstr("the subject explains and scores its own neurons"));

    std::string responses;
    RunDb(files_->run() / "run.sqlite", RunDbMode::read_only)
        .for_each_response(std::nullopt, [&](const ResponseRow & row) { responses += row.text + "\n"; });
    const std::vector<json> found = lines(output);
    ASSERT_EQ(found.size(), 2u);
    std::set<std::string> categories;
    for (const json & line : found) {
        ASSERT_EQ(line["roles"].size(), 1u) << "as in neurons.csv";
        EXPECT_EQ(line["roles"][0]["value"], "pirate");
        EXPECT_GT(line["roles"][0]["norm"].get<double>(), 0);
        categories.insert(line["roles"][0]["category"].get<std::string>());
        EXPECT_FALSE(line["excerpts"].empty());
        for (const json & excerpt : line["excerpts"]) {
            std::string text;
            for (const json & token : excerpt["tokens"]) {
                text += token.get<std::string>();
            }
            EXPECT_THAT(responses, HasSubstr(text));
        }
        EXPECT_EQ(line["lens"]["top"].size(), 10u);
        for (const json & score : line["scores"]) {
            EXPECT_TRUE(score["value"].is_number() || score["problem"].is_string()) << score;
        }
    }
    EXPECT_EQ(categories, (std::set<std::string>{"intrinsic", "shared"}));

    const json about = json::parse(read_file(files_->run() / "explanations.json"));
    EXPECT_EQ(about["options"]["seed"], 3) << "the run's";
    EXPECT_EQ(about["model_hash"], json::parse(read_file(files_->run() / "neurons.json"))["model_hash"]);
    std::set<std::pair<std::string, std::string>> axes;
    for (const json & lens : about["axes"]) {
        axes.emplace(lens["value"].get<std::string>(), lens["axis"].get<std::string>());
        EXPECT_EQ(lens["top"].size(), 10u);
        EXPECT_EQ(lens["bottom"].size(), 10u);
    }
    EXPECT_EQ(
        axes,
        (std::set<std::pair<std::string, std::string>>{
            {"grandparent", "intrinsic"}, {"grandparent", "shared"}, {"pirate", "intrinsic"}, {"pirate", "shared"}}));
    EXPECT_EQ(about["axes"].size(), 4u * 30) << "each axis at each layer";
}

// One of the calls that are compared also shows that a corpus comes on top of the responses, and that what the command
// line says beats the run.
TEST_F(ExplainRunCommand, CtrlCExitsWithSixAndTheSameCommandEndsWithTheSameBytes) {
    const TempFolder folder;
    write_file(folder / "more.txt", "one text of our own\n\nand another\n");
    const auto arguments = [&](const char * output) {
        return command({"--categories", "prompted", "--scores", "none", "--no-rating", "--lens", "0", "--seed", "5",
                        "--corpus", (folder / "more.txt").string(), "--output", (folder / output).string()});
    };
    const ProgramResult whole = run_program(arguments("whole.jsonl"));
    ASSERT_EQ(whole.exit_code, 0) << whole.err;
    EXPECT_EQ(json::parse(whole.out)["documents"], 20);
    EXPECT_EQ(lines(folder / "whole.jsonl").size(), 1u);
    const json about = json::parse(read_file(folder / "whole.json"));
    EXPECT_EQ(about["options"]["seed"], 5);
    EXPECT_TRUE(about["axes"].empty());
    {
        const Program program(arguments("stopped.jsonl"));
        ASSERT_TRUE(program.wait_for_file(folder / "stopped.harvest")); // then it explains
        program.signal(SIGINT);
        const ProgramResult result = program.wait();
        EXPECT_EQ(result.exit_code, 6) << result.err;
        EXPECT_EQ(result.out, "");
        EXPECT_EQ(result.last_error_line(), "interrupted; run the same command again to go on");
    }
    EXPECT_FALSE(std::filesystem::exists(folder / "stopped.jsonl"));
    const ProgramResult result = run_program(arguments("stopped.jsonl"));
    ASSERT_EQ(result.exit_code, 0) << result.err;
    for (const char * end : {"jsonl", "json", "harvest"}) {
        EXPECT_EQ(read_file(folder / (std::string("stopped.") + end)),
                  read_file(folder / (std::string("whole.") + end)))
            << end;
    }
}

TEST_F(ExplainRunCommand, ARunWithoutNeuronsOrOfAnotherModelIsRefused) {
    const TempFolder folder;
    std::filesystem::copy(files_->run(), folder / "early", std::filesystem::copy_options::recursive);
    std::filesystem::remove(folder / "early" / "neurons.csv");
    const ProgramResult early = run_program({"explain", "--run", (folder / "early").string()});
    EXPECT_EQ(early.exit_code, 2) << early.err;
    EXPECT_THAT(early.last_error_line(), HasSubstr("has no neurons.csv yet; `valuelens neurons --run"));

    const std::string other = test::cached_model("smollm2-135m", "f32");
    ASSERT_NE(other, "") << "smollm2-135m:f32 is not in the cache; make test fetches it";
    const ProgramResult another = run_program(command({"-m", other}));
    EXPECT_EQ(another.exit_code, 3) << another.err;
    EXPECT_THAT(another.last_error_line(), HasSubstr("neurons.csv"));
}

} // namespace
} // namespace valuelens
