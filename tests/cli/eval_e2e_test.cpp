#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "store/provenance.h"
#include "store/safetensors.h"
#include "support/golden.h"
#include "valuelens/evaluation.h"

namespace valuelens {
namespace {

using test::ProgramResult;
using test::run_program;
using testing::HasSubstr;

class EvalCommand : public testing::Test {
protected:
    void SetUp() override {
        model_ = test::cached_model("smollm2-135m", "bf16");
        if (model_.empty()) {
            FAIL() << "smollm2-135m-bf16 is not in the cache; valuelens models fetch smollm2-135m";
        }
    }

    ProgramResult eval(const std::vector<std::string> & more, const std::string & name = "pvq") const {
        std::vector<std::string> all = {"eval",           name, "-m", model_, "--output",
                                        output_.string(), "-t", "1",  "-np",  "8"};
        all.insert(all.end(), more.begin(), more.end());
        return run_program(all);
    }

    void expect_failure(const ProgramResult & result, int exit_code, const std::vector<std::string> & words) const {
        EXPECT_EQ(result.exit_code, exit_code) << result.err;
        EXPECT_EQ(result.out, "");
        EXPECT_FALSE(std::filesystem::exists(output_));
        for (const std::string & word : words) {
            EXPECT_THAT(result.last_error_line(), HasSubstr(word));
        }
    }

    /// A direction for every layer of the model.
    std::string directions() const {
        const ModelInfo info = read_model_info(model_);
        const auto n_layer = static_cast<std::size_t>(info.n_layer);
        const auto n_embd = static_cast<std::size_t>(info.n_embd);
        std::vector<float> values(n_layer * n_embd);
        for (std::size_t i = 0; i < values.size(); ++i) {
            values[i] = i % 2 == 0 ? 0.5f : -0.25f;
        }
        const std::filesystem::path path = folder_ / "d.safetensors";
        const std::vector<FloatTensor> tensors = {{"mine", {n_layer, n_embd}, values}};
        Provenance provenance;
        provenance.model_name = info.name;
        provenance.model_hash = info.identity;
        provenance.tool_version = "1";
        write_safetensors(path, tensors, provenance_metadata(provenance));
        return path.string();
    }

    TempFolder folder_;
    std::string model_;
    std::filesystem::path output_ = folder_ / "result.json";
};

TEST_F(EvalCommand, ComparesASteeredModelWithTheBaseOnTheSameItems) {
    const std::string steer = directions() + ":mine,layers=10-12,alpha=2";
    const ProgramResult result = eval({"--limit", "3", "--steer", steer, "--seed", "4", "--json"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const auto json = nlohmann::json::parse(result.out);
    EXPECT_EQ(json["evaluation"], "pvq");
    EXPECT_EQ(json["seed"], 4);
    EXPECT_FALSE(json.contains("items"));
    const Evaluation stored = read_evaluation(output_);
    ASSERT_EQ(stored.variants.size(), 2u);
    EXPECT_EQ(stored.variants[1].steer, std::vector<std::string>{steer});
    ASSERT_EQ(stored.variants[1].files.size(), 1u);
    EXPECT_EQ(stored.variants[1].files[0].second.size(), 64u);
    EXPECT_THAT(stored.settings, testing::IsSupersetOf({std::pair<std::string, std::string>("parallel", "8"),
                                                        std::pair<std::string, std::string>("kv_type", "auto")}));
    EXPECT_EQ(stored.items.size(), 3u);
    EXPECT_EQ(stored.model_identity, read_model_info(model_).identity);
    EXPECT_EQ(stored.find("likeness")->differences[1].n, 3u);
    EXPECT_EQ(json["results"].size(), stored.rows.size());
}

TEST_F(EvalCommand, PrintsATable) {
    const ProgramResult result = eval({"--limit", "4", "--quiet"}, "multiple-choice");
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.err, "");
    EXPECT_THAT(result.out, HasSubstr("accuracy: percent of questions"));
    EXPECT_THAT(result.out, HasSubstr("overall"));
    EXPECT_THAT(result.out, HasSubstr(output_.string()));
}

TEST_F(EvalCommand, EvaluatesValuePortrait) {
    const std::filesystem::path input = folder_ / "tagged.json";
    write_file(input, R"([{"content": {"title": null, "text": "What matters?"}, "outputs": [
        {"content": "Being in charge.", "correlations": [["Power", 0.5]]},
        {"content": "My people.", "correlations": [["Benevolence", 0.4]]}]}])");
    const ProgramResult result = eval({"--input", input.string()}, "portrait");
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const Evaluation stored = read_evaluation(output_);
    EXPECT_EQ(stored.find("similarity", "power")->scores[0].n, 1u);
    EXPECT_LT(stored.find("logprob_sum", "benevolence")->scores[0].estimate.value, 0);
}

TEST_F(EvalCommand, BadInputIsOneSentenceAndTheRightExitCode) {
    expect_failure(eval({"--key", "pvq40"}), 2, {"--key pvq40", "--input"});
    expect_failure(eval({"--language", "de"}), 2, {"\"de\""});
    expect_failure(eval({"--parse", "guess"}), 2, {"guess"});
    expect_failure(eval({"--confidence", "2", "--limit", "1"}), 2, {"--confidence 2"});
    expect_failure(eval({"--shots", "9"}, "multiple-choice"), 2, {"--shots 9", "5 solved examples"});
    expect_failure(eval({"--input", (folder_ / "none.json").string()}, "portrait"), 3, {"none.json"});
    expect_failure(eval({"--steer", (folder_ / "none.safetensors").string() + ":x"}), 3, {"none.safetensors"});
    expect_failure(eval({}, "astrology"), 2, {"astrology"});
    write_file(folder_ / "bad.jsonl", "{\"id\": \"1\", \"value\": \"greed\", \"text\": \"x\"}\n");
    expect_failure(eval({"--input", (folder_ / "bad.jsonl").string()}), 3, {"bad.jsonl:1", "greed"});
}

} // namespace
} // namespace valuelens
