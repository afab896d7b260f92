// `valuelens judge-train` and `valuelens judge-check`, through the program.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "support/golden.h"

namespace valuelens {
namespace {

using nlohmann::json;
using test::ProgramResult;
using test::run_program;
using testing::HasSubstr;

class JudgeCommands : public testing::Test {
protected:
    void SetUp() override {
        write_file(concepts_, "name = \"hobbies\"\n"
                              "[[value]]\nid = \"cooking\"\nname = \"Cooking\"\ndefinition = \"food\"\n"
                              "[[value]]\nid = \"sailing\"\nname = \"Sailing\"\ndefinition = \"boats\"\n");
        const char * const cooks[] = {"I fry onions in butter.", "She bakes bread with rye.", "We simmer a thick soup.",
                                      "You whisk eggs and sugar."};
        const char * const sails[] = {"We hoist the mainsail.", "He steers the boat into the wind.",
                                      "She ties the jib sheet.", "Waves break over the bow."};
        for (int i = 0; i < 16; ++i) {
            const bool cooking = i % 2 == 0;
            const std::string text = fmt::format("{} It was day {}.", cooking ? cooks[i / 2 % 4] : sails[i / 2 % 4], i);
            texts_ += json({{"id", std::to_string(i)},
                            {"text", text},
                            {"group", std::to_string(i / 2 % 4)},
                            {"labels", {{"cooking", cooking}, {"sailing", !cooking}}}})
                          .dump() +
                      "\n";
            answers_ +=
                json({{"id", std::to_string(i)}, {"value", "cooking"}, {"probability", cooking ? 0.9 : 0.2}}).dump() +
                "\n";
        }
        write_file(labelled_, texts_);
    }

    std::vector<std::string> check(const std::vector<std::string> & more) const {
        std::vector<std::string> arguments = {"judge-check", "--labelled", labelled_.string(), "--concepts",
                                              concepts_.string()};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return arguments;
    }

    static void expect_failure(const std::vector<std::string> & arguments, int exit_code,
                               const std::vector<std::string> & words) {
        const ProgramResult result = run_program(arguments);
        EXPECT_EQ(result.exit_code, exit_code) << result.err;
        EXPECT_EQ(result.out, "");
        for (const std::string & word : words) {
            EXPECT_THAT(result.last_error_line(), HasSubstr(word));
        }
    }

    TempFolder folder_;
    std::filesystem::path concepts_ = folder_ / "hobbies.toml";
    std::filesystem::path labelled_ = folder_ / "texts.jsonl";
    std::string texts_;
    std::string answers_;
};

TEST_F(JudgeCommands, AProbeIsTrainedAndMeasured) {
    if (test::cached_model("smollm2-135m", "bf16").empty()) {
        FAIL() << "smollm2-135m-bf16 is not in the cache: valuelens models fetch smollm2-135m";
    }
    const std::string probe = (folder_ / "probe.safetensors").string();
    const ProgramResult trained =
        run_program({"judge-train", "-m", "smollm2-135m:bf16", "-t", "1", "--labelled", labelled_.string(), "--check",
                     labelled_.string(), "--concepts", concepts_.string(), "--blocks", "7,15", "--skip-first-token",
                     "--output", probe, "--json"});
    ASSERT_EQ(trained.exit_code, 0) << trained.err;
    const json report = json::parse(trained.out);
    EXPECT_EQ(report["probe"], probe);
    EXPECT_EQ(report["n_texts"], 16);
    EXPECT_EQ(report["blocks"], json({7, 15}));
    EXPECT_GT(report["cv_auroc"], 0.8);
    EXPECT_EQ(report["check"]["n_texts"], 16);

    const ProgramResult checked = run_program(check({"--probe", probe, "--prior", "training", "-t", "1", "--json"}));
    ASSERT_EQ(checked.exit_code, 0) << checked.err;
    const json quality = json::parse(checked.out);
    EXPECT_EQ(quality["values"].size(), 2u);
    EXPECT_NEAR(quality["mean_auroc"]["value"], report["check"]["mean_auroc"]["value"].get<double>(), 1e-9);
    // Not to be used for what it was not trained on.
    expect_failure({"judge-check", "--labelled", labelled_.string(), "--probe", probe, "-t", "1"}, 3,
                   {"texts.jsonl:1", "cooking"});
}

TEST_F(JudgeCommands, AnswersOfAFileAreMeasured) {
    write_file(folder_ / "answers.jsonl", answers_);
    const ProgramResult result =
        run_program(check({"--judge", "file", "--file", (folder_ / "answers.jsonl").string(), "--json"}));
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const json quality = json::parse(result.out);
    EXPECT_EQ(quality["values"][0]["value"], "cooking");
    EXPECT_EQ(quality["values"][0]["auroc"]["value"], 1.0);
    EXPECT_EQ(quality["values"][0]["n_positive"], 8);
    EXPECT_TRUE(quality["values"][1]["auroc"]["value"].is_null()) << "the file has no opinion on sailing";
    EXPECT_THAT(run_program(check({"--judge", "file", "--file", (folder_ / "answers.jsonl").string()})).out,
                HasSubstr("mean AUROC 1.000"));
}

TEST_F(JudgeCommands, AWordListIsMeasured) {
    write_file(folder_ / "words.json", R"({"Cooking": ["fry", "bak*", "soup", "eggs"], "Sailing": ["boat"]})");
    const ProgramResult result =
        run_program(check({"--judge", "dictionary", "--file", (folder_ / "words.json").string(), "--json"}));
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const json quality = json::parse(result.out);
    EXPECT_EQ(quality["values"][0]["auroc"]["value"], 1.0);
    EXPECT_EQ(quality["values"][1]["auroc"]["value"], 0.625) << "one of four sailing texts has a listed word";
}

TEST_F(JudgeCommands, WhatCannotBeUsedIsNamed) {
    expect_failure({"judge-check"}, 2, {"--labelled", "required"});
    expect_failure(check({"--judge", "oracle"}), 2, {"--judge", "oracle"});
    expect_failure(check({"--judge", "file"}), 2, {"file"});
    expect_failure(check({"--judge", "ask"}), 2, {"ask"});
    expect_failure(check({"--probe", "gpt-5"}), 2, {"'gpt-5'", "smollm2-135m"});
    write_file(folder_ / "answers.jsonl", answers_ + "{\"id\": \"x\", \"value\": \"rowing\", \"expresses\": true}\n");
    expect_failure(check({"--judge", "file", "--file", (folder_ / "answers.jsonl").string()}), 3,
                   {"answers.jsonl:17", "'rowing'"});
    write_file(labelled_, texts_ + "{\"text\": \"x\", \"labels\": {\"rowing\": true}}\n");
    expect_failure(check({"--judge", "file", "--file", (folder_ / "answers.jsonl").string()}), 3,
                   {"texts.jsonl:17", "rowing"});
    expect_failure({"judge-train", "--labelled", labelled_.string(), "--output", "p.safetensors"}, 2, {"--model"});
}

} // namespace
} // namespace valuelens
