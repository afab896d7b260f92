// A judge that reads the subject's own weights is said to.

#include "pipeline/open_judge.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "support/golden.h"
#include "valuelens/model.h"

namespace valuelens {
namespace {

class Warnings : public ProgressSink {
public:
    void message(LogLevel level, std::string_view text) override {
        if (level == LogLevel::warning) {
            lines.emplace_back(text);
        }
    }
    std::vector<std::string> lines;
};

class OpenJudgeModel : public testing::Test {
protected:
    void SetUp() override {
        path = test::cached_model("smollm2-135m", "bf16");
        ASSERT_FALSE(path.empty()) << "smollm2-135m-bf16 is not in the cache: valuelens models fetch smollm2-135m";
        config.threads = 1;
        config.judge_probe = "smollm2-135m";
    }

    std::vector<std::string> warnings_for(const Subject & subject) {
        Warnings warnings;
        open_judge(config, schwartz10(), subject, warnings, {});
        return warnings.lines;
    }

    std::string path;
    RunConfig config;
};

TEST_F(OpenJudgeModel, TheSameFileOrNameIsWarnedOf) {
    const ModelInfo info = read_model_info(path);
    const auto warning = testing::ElementsAre(testing::HasSubstr("judge and subject are the same model"));
    EXPECT_THAT(warnings_for({"another name", info.identity}), warning) << "the same file";
    EXPECT_THAT(warnings_for({info.name, std::string(64, '0')}), warning) << "the same model in another type";
    EXPECT_THAT(warnings_for({"another name", std::string(64, '0')}), testing::IsEmpty());
    config.judge_kind = "ask";
    config.judge_model = path;
    EXPECT_THAT(warnings_for({info.name, info.identity}), warning) << "asked, too";
}

TEST_F(OpenJudgeModel, ItIsSaidBeforeAnythingIsGenerated) {
    config.model = path;
    const auto warned = [&] {
        Warnings warnings;
        check_judge_config(config, schwartz10(), warnings, {});
        return warnings.lines;
    };
    const auto warning = testing::ElementsAre(testing::HasSubstr("judge and subject are the same model"));
    EXPECT_THAT(warned(), warning);
    config.judge_probe = "auto";
    EXPECT_THAT(warned(), testing::IsEmpty()) << "takes the probe of another model";
    config.judge_kind = "ask";
    config.judge_model = path;
    EXPECT_THAT(warned(), warning);
}

TEST_F(OpenJudgeModel, AutoLeavesOutTheProbeThatReadsTheSubject) {
    if (test::cached_model("gemma3-270m", "original").empty()) {
        FAIL() << "gemma3-270m is not in the cache";
    }
    config.judge_probe = "auto";
    Warnings warnings;
    const ModelInfo info = read_model_info(path);
    const OpenJudge judge = open_judge(config, schwartz10(), {info.name, info.identity}, warnings, {});
    EXPECT_THAT(warnings.lines, testing::IsEmpty());
    EXPECT_THAT(judge.judge->describe(), testing::HasSubstr("gemma3-270m"));
    EXPECT_THAT(judge.judge->describe(), testing::Not(testing::HasSubstr("smollm2")));
}

} // namespace
} // namespace valuelens
