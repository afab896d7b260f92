#include "pipeline/sample.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/random.h"
#include "store/safetensors.h"
#include "support/expect_error.h"
#include "support/golden.h"
#include "support/temp_folder.h"

namespace valuelens {
namespace {

using testing::ElementsAre;

class SampleModel : public testing::Test {
protected:
    void SetUp() override {
        const std::string path = test::cached_model("smollm2-135m", "f32");
        if (path.empty()) {
            FAIL() << "smollm2-135m-f32 is not in the cache; valuelens models fetch smollm2-135m --type f32";
        }
        const ModelInfo info = read_model_info(path);
        const auto width = static_cast<std::size_t>(info.n_embd);
        Rng rng(3);
        std::vector<float> rows(2 * width);
        for (float & x : rows) {
            x = static_cast<float>(rng.normal());
        }
        const std::vector<FloatTensor> tensors = {{"a", {width}, std::span(rows).first(width)},
                                                  {"b", {width}, std::span(rows).last(width)}};
        write_safetensors(folder_ / "v.safetensors", tensors, {});
        options_.model.path = path;
        options_.model.threads = 1;
        options_.prompt = "What do you value most?";
        options_.max_tokens = 12;
        a_ = (folder_ / "v.safetensors").string() + ":a,layers=12,alpha=2";
        b_ = (folder_ / "v.safetensors").string() + ":b,layers=15,alpha=2,tokens=response";
    }

    TempFolder folder_;
    SampleOptions options_;
    std::string a_;
    std::string b_;
};

TEST_F(SampleModel, ColumnsDoNotDependOnEachOther) {
    options_.steer = {a_, b_};
    std::vector<std::string> streamed(3);
    std::vector<bool> done(3);
    const SampleResult both = sample(
        options_, silent_progress(), {},
        [&](std::size_t column, std::string_view piece) {
            EXPECT_FALSE(done[column]);
            streamed[column] += piece;
        },
        [&](std::size_t column) { done[column] = true; });
    EXPECT_THAT(both.interventions, ElementsAre("base", a_, b_));
    ASSERT_EQ(both.samples.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(both.samples[i].intervention, both.interventions[i]);
        EXPECT_EQ(streamed[i], both.samples[i].text);
        EXPECT_TRUE(done[i]);
        EXPECT_LE(both.samples[i].n_tokens, 12u);
    }
    EXPECT_NE(both.samples[1].text, both.samples[0].text);
    EXPECT_NE(both.samples[2].text, both.samples[0].text);
    EXPECT_NE(both.samples[2].text, both.samples[1].text);

    options_.steer = {b_};
    const SampleResult one = sample(options_);
    EXPECT_EQ(one.samples[0].text, both.samples[0].text);
    EXPECT_EQ(one.samples[1].text, both.samples[2].text);

    options_.steer = {a_, b_};
    options_.together = true;
    const SampleResult together = sample(options_);
    EXPECT_THAT(together.interventions, ElementsAre("base", a_ + " + " + b_));
    EXPECT_EQ(together.samples[0].text, both.samples[0].text);
    EXPECT_NE(together.samples[1].text, both.samples[1].text);
}

TEST_F(SampleModel, AFileOfPromptsGivesLinesInOrder) {
    write_file(folder_ / "p.jsonl", "{\"id\": \"x\", \"system\": \"\", \"user\": \"Name a colour.\"}\n"
                                    "{\"id\": \"y\", \"prompt\": \"Once upon a\"}\n");
    options_.input = folder_ / "p.jsonl";
    options_.output = folder_ / "out.jsonl";
    options_.steer = {a_};
    options_.sampling = {.temperature = 0.8f, .seed = 5};
    const SampleResult result = sample(options_);
    EXPECT_EQ(result.n_prompts, 2u);
    std::vector<nlohmann::json> lines;
    for_each_line(options_.output,
                  [&](std::string_view line, std::size_t) { lines.push_back(nlohmann::json::parse(line)); });
    ASSERT_EQ(lines.size(), 4u);
    EXPECT_EQ(lines[0]["id"], "x");
    EXPECT_EQ(lines[0]["intervention"], "base");
    EXPECT_EQ(lines[1]["id"], "x");
    EXPECT_EQ(lines[1]["intervention"], a_);
    EXPECT_EQ(lines[2]["id"], "y");
    EXPECT_EQ(lines[1]["system"], "");
    EXPECT_EQ(lines[1]["user"], "Name a colour.");
    EXPECT_EQ(lines[3]["prompt"], "Once upon a");
    EXPECT_FALSE(lines[3].contains("user"));
    for (const auto & line : lines) {
        EXPECT_EQ(line.size(), line.contains("user") ? 7u : 6u);
        EXPECT_TRUE(line["finish"] == "length" || line["finish"] == "end_of_turn");
        EXPECT_GT(line["n_tokens"].get<int>(), 0);
    }
    const std::string first = read_file(options_.output);
    sample(options_);
    EXPECT_EQ(read_file(options_.output), first) << "the same seed gives the same bytes";
    options_.sampling.seed = 6;
    sample(options_);
    EXPECT_NE(read_file(options_.output), first);
}

TEST_F(SampleModel, PromptsThatDoNotFitAreSaid) {
    options_.scheduler.ctx_size = 8;
    expect_error(ErrorKind::bad_input, {"no prompt fits", "--ctx-size"}, [&] { sample(options_); });
}

TEST_F(SampleModel, TheSameInterventionTwiceIsRefused) {
    options_.steer = {a_, a_};
    expect_error(ErrorKind::usage, {"twice", "v.safetensors"}, [&] { sample(options_); });
}

} // namespace
} // namespace valuelens
