#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "cli/program.h"
#include "store/safetensors.h"
#include "support/tiny_language_model.h"

namespace valuelens {
namespace {

using test::ProgramResult;
using test::run_program;
using test::TinyLanguageModel;
using testing::HasSubstr;

class TuneCommand : public testing::Test {
protected:
    TuneCommand() {
        model_ = TinyLanguageModel::dense().write(folder_ / "m.gguf");
        std::vector<float> rows(3 * TinyLanguageModel::n_embd);
        for (std::size_t i = 0; i < rows.size(); ++i) {
            rows[i] = i % 3 == 0 ? 0.5f : -0.25f;
        }
        const std::vector<FloatTensor> tensors = {{"power/shared", {3, TinyLanguageModel::n_embd}, rows}};
        write_safetensors(folder_ / "d.safetensors", tensors, {});
        write_file(folder_ / "p.jsonl", "{\"id\": \"1\", \"value\": \"power\", \"text\": \"They like to lead.\"}\n"
                                        "{\"id\": \"2\", \"value\": \"security\", \"text\": \"They save.\"}\n");
    }

    ProgramResult run(const std::vector<std::string> & more) const {
        std::vector<std::string> all = {"tune",
                                        "-m",
                                        model_,
                                        "--steer",
                                        (folder_ / "d.safetensors").string() + ":power/shared",
                                        "--portraits",
                                        (folder_ / "p.jsonl").string(),
                                        "--limit",
                                        "6",
                                        "--bootstraps",
                                        "20",
                                        "-t",
                                        "1",
                                        "-np",
                                        "8",
                                        "--output",
                                        (folder_ / "tune.json").string()};
        all.insert(all.end(), more.begin(), more.end());
        return run_program(all);
    }

    TempFolder folder_;
    std::string model_;
};

TEST_F(TuneCommand, WritesCurvesAndPrintsThem) {
    const ProgramResult result = run({"--grid=-1,0.5,2", "--layers", "0-1,2", "--max-drop", "60", "--json"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const auto json = nlohmann::json::parse(result.out);
    EXPECT_EQ(json["curves"].size(), 2u);
    EXPECT_EQ(json["curves"][1]["layers"], nlohmann::json({2, 2}));
    EXPECT_EQ(json["curves"][0]["points"][0]["strength"], -1);
    EXPECT_EQ(json["best"].size(), 2u) << "one range for each side of 0";
    auto stored = nlohmann::json::parse(read_file(folder_ / "tune.json"));
    EXPECT_EQ(stored["curves"], json["curves"]);
    const ProgramResult text = run({"--grid", "1", "--shots", "5"});
    ASSERT_EQ(text.exit_code, 0) << text.err;
    EXPECT_THAT(text.out, HasSubstr("gain of power"));
    EXPECT_THAT(text.out, HasSubstr("above 0: "));
}

TEST_F(TuneCommand, BadInputIsOneSentenceWithItsCode) {
    const auto refused = [&](const std::vector<std::string> & more, int exit_code, const std::string & word) {
        const ProgramResult result = run(more);
        EXPECT_EQ(result.exit_code, exit_code) << result.err;
        EXPECT_THAT(result.last_error_line(), HasSubstr(word));
        EXPECT_FALSE(std::filesystem::exists(folder_ / "tune.json"));
    };
    refused({}, 2, "--grid");
    refused({"--grid", "1,x"}, 2, "\"x\"");
    refused({"--grid", "1", "--layers", "3-1"}, 2, "\"3-1\"");
    refused({"--grid", "1", "--layers", "auto"}, 2, "--vectors");
    refused({"--grid", "1", "--questions", (folder_ / "none.csv").string()}, 3, "none.csv");
}

} // namespace
} // namespace valuelens
