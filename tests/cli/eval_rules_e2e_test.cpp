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

class EvalRulesCommand : public testing::Test {
protected:
    void SetUp() override {
        model_ = test::cached_model("smollm2-135m", "bf16");
        if (model_.empty()) {
            GTEST_SKIP() << "smollm2-135m-bf16 is not in the cache; valuelens models fetch smollm2-135m";
        }
    }

    ProgramResult eval(const std::string & name, const std::vector<std::string> & more) const {
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

    /// One direction for each of three values, at every layer.
    std::string directions() const {
        const ModelInfo info = read_model_info(model_);
        const auto n_layer = static_cast<std::size_t>(info.n_layer);
        const auto n_embd = static_cast<std::size_t>(info.n_embd);
        std::vector<FloatTensor> tensors;
        for (std::size_t value = 0; value < 3; ++value) {
            std::vector<float> row(n_layer * n_embd);
            for (std::size_t i = 0; i < row.size(); ++i) {
                row[i] = (i + value) % 3 == 0 ? 0.5f : -0.25f;
            }
            const char * names[] = {"power/shared", "security/shared", "benevolence/shared"};
            tensors.push_back({names[value], {n_layer, n_embd}, std::move(row)});
        }
        const std::filesystem::path path = folder_ / "d.safetensors";
        Provenance provenance;
        provenance.model_name = info.name;
        provenance.model_hash = info.identity;
        provenance.tool_version = "1";
        write_safetensors(path, tensors, provenance_metadata(provenance));
        return path.string() + ":{value}/shared,layers=10-12,alpha=2";
    }

    TempFolder folder_;
    std::string model_;
    std::filesystem::path output_ = folder_ / "result.json";
};

TEST_F(EvalRulesCommand, Instructions) {
    const ProgramResult result = eval("instructions", {"--limit", "3", "--max-tokens", "8"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, HasSubstr("prompt_strict"));
    const Evaluation stored = read_evaluation(output_);
    EXPECT_EQ(stored.find("prompt_strict")->scores[0].n, 3u);
    EXPECT_GT(stored.find("answer_tokens")->scores[0].estimate.value, 0);

    std::filesystem::remove(output_);
    write_file(folder_ / "in.jsonl",
               R"({"key": 1, "prompt": "x", "instruction_id_list": ["change_case:rot13"], "kwargs": [{}]})");
    expect_failure(eval("instructions", {"--input", (folder_ / "in.jsonl").string()}), 3,
                   {"in.jsonl:1", "change_case:rot13"});
}

TEST_F(EvalRulesCommand, Diversity) {
    const ProgramResult result = eval("diversity", {"--limit", "4", "--block", "2", "--samples", "2", "--max-tokens",
                                                    "12", "--min-words", "2", "--seed", "1"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, HasSubstr("across_ead_5"));
    const Evaluation stored = read_evaluation(output_);
    const Estimate distinct = stored.find("across_distinct_1")->scores[0].estimate;
    EXPECT_GT(distinct.value, 0.1);
    EXPECT_LE(distinct.value, 1);
    const double entropy = stored.find("next_token_entropy")->scores[0].estimate.value;
    EXPECT_GT(entropy, 0.01);
    EXPECT_LT(entropy, 10.8) << "that of all 49152 tokens alike";
    EXPECT_GT(stored.find("across_embedding_distance")->scores[0].estimate.value, 0);
    std::filesystem::remove(output_);
    expect_failure(eval("diversity", {"--block", "1"}), 2, {"--block 1"});

    ASSERT_EQ(eval("diversity", {"--limit", "2", "--block", "2", "--samples", "2", "--max-tokens", "8", "--min-words",
                                 "2", "--embedding-model", "smollm2-135m"})
                  .exit_code,
              0);
    EXPECT_THAT(read_evaluation(output_).settings,
                testing::Contains(testing::Pair("embedding", HasSubstr("pooling: mean (not stated)"))));
    std::filesystem::remove(output_);
    expect_failure(eval("diversity", {"--embedding-model", (folder_ / "none.gguf").string()}), 4, {"none.gguf"});
    write_file(output_, "as if it were a model");
    const ProgramResult own = eval("diversity", {"--embedding-model", output_.string()});
    EXPECT_EQ(own.exit_code, 2);
    EXPECT_THAT(own.last_error_line(), HasSubstr("would replace"));
    EXPECT_EQ(read_file(output_), "as if it were a model");
}

TEST_F(EvalRulesCommand, LeakageUnderOneVariantForEachValue) {
    const ProgramResult result = eval("leakage", {"--limit", "4", "--bootstraps", "50", "--steer", directions(),
                                                  "--values", "power,security,benevolence"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, HasSubstr("circle_correlation"));
    const Evaluation stored = read_evaluation(output_);
    ASSERT_EQ(stored.variants.size(), 4u);
    EXPECT_EQ(stored.variants[2].name, "security");
    EXPECT_THAT(stored.variants[2].steer[0], HasSubstr(":security/shared,"));
    ASSERT_EQ(stored.statistics.size(), 4u);
    EXPECT_GT(stored.statistics[0].n, 2u);
    EXPECT_GT(stored.statistics[0].p, 0);

    std::filesystem::remove(output_);
    expect_failure(eval("leakage", {"--limit", "2"}), 2, {"leakage", "{value}"});
    expect_failure(eval("leakage", {"--steer", directions()}), 3, {"d.safetensors", "self_direction/shared"});
    expect_failure(eval("leakage", {"--steer", directions(), "--values", "greed"}), 2, {"--values greed"});
    expect_failure(eval("leakage", {"--values", "power"}), 2, {"leakage", "{value}"});
}

TEST_F(EvalRulesCommand, CrossLingual) {
    const ProgramResult result = eval("cross-lingual", {"--limit", "2", "--bootstraps", "50", "--languages", "en,ko",
                                                        "--steer", directions(), "--values", "power"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, HasSubstr("likeness_centred_ko"));
    EXPECT_EQ(read_evaluation(output_).find("likeness_ko")->scores[1].n, 2u);
    std::filesystem::remove(output_);
    expect_failure(eval("cross-lingual", {"--languages", "en,de"}), 2, {"\"de\""});
}

TEST_F(EvalRulesCommand, WithoutANameItTakesARun) {
    expect_failure(run_program({"eval"}), 2, {"--run DIR"});
    expect_failure(run_program({"eval", "--run", (folder_ / "none").string()}), 2, {"is not a run"});
    expect_failure(run_program({"eval", "astrology"}), 2, {"astrology"});
}

} // namespace
} // namespace valuelens
