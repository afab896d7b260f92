#include "pipeline/monitor.h"

#include <gtest/gtest.h>

#include <fstream>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "serve/steering_files.h"
#include "support/expect_error.h"
#include "support/golden.h"
#include "support/temp_folder.h"

namespace valuelens {
namespace {

using nlohmann::json;

class MonitorModel : public testing::Test {
protected:
    void SetUp() override {
        options.model.path = test::cached_model("smollm2-135m", "f32");
        ASSERT_FALSE(options.model.path.empty()) << "smollm2-135m-f32 is not in the cache: `make test` fetches it";
        test::write_axes(folder / "axes.safetensors", read_model_info(options.model.path));
        options.watch.file = folder / "axes.safetensors";
        options.scheduler.parallel = 4;
        options.max_tokens = 8;
        options.window = 4;
        options.per_token = true;
        options.output = folder / "report.jsonl";
        std::ofstream prompts(folder / "prompts.jsonl");
        for (const char * question : {"Name a colour.", "What matters in life?", "Tell me a story.", "Hi"}) {
            prompts << json{{"id", question}, {"user", question}}.dump() << "\n";
        }
    }

    std::vector<json> report() const {
        std::vector<json> lines;
        for_each_line(options.output, [&](std::string_view line, std::size_t) { lines.push_back(json::parse(line)); });
        return lines;
    }

    TempFolder folder;
    MonitorOptions options;
};

TEST_F(MonitorModel, LearnsOnAnswersFlagsAndDefends) {
    options.input = folder / "prompts.jsonl";
    options.learn = folder / "thresholds.json";
    options.quantile = 0.5;
    MonitorOptions unwatched = options;
    unwatched.guard = {"envy"};
    expect_error(ErrorKind::usage, {"--guard envy"}, [&] { monitor(unwatched); });
    const MonitorResult learned = monitor(options);
    EXPECT_EQ(learned.n_responses, 4u);
    EXPECT_EQ(learned.watch.names, (std::vector<std::string>{"compliance", "care/shared", "power/shared"}));
    const std::vector<json> first = report();
    ASSERT_EQ(first.size(), 4u);

    // Half of what they were learned on lies beyond the median.
    options.thresholds = std::exchange(options.learn, {});
    const MonitorResult again = monitor(options);
    EXPECT_EQ(again.n_flagged, 2u);
    std::size_t flagged = 0;
    std::size_t early = 0;
    for (const json & line : report()) {
        flagged += line["monitor"]["flagged"].get<bool>() ? 1 : 0;
        double begin = 0;
        for (int t = 0; t < 4; ++t) {
            begin +=
                line["monitor"]["directions"]["compliance"]["tokens"][static_cast<std::size_t>(t)].get<double>() / 4;
        }
        early += begin > again.thresholds->limits[0].early + 1e-6 ? 1 : 0;
    }
    EXPECT_EQ(flagged, 2u);
    EXPECT_EQ(early, 2u);

    // What is given as a transcript reads like what was written.
    std::ofstream transcripts(folder / "transcripts.jsonl");
    for (const json & line : first) {
        transcripts << json{{"id", line["id"]}, {"user", line["id"]}, {"response", line["text"]}}.dump() << "\n";
    }
    transcripts.close();
    options.input = folder / "transcripts.jsonl";
    monitor(options);
    const std::vector<json> read = report();
    for (std::size_t i = 0; i < read.size(); ++i) {
        EXPECT_FALSE(read[i].contains("text"));
        if (read[i]["n_tokens"] == first[i]["n_tokens"]) { // a text may be cut into other tokens than it was written in
            EXPECT_NEAR(read[i]["monitor"]["directions"]["compliance"]["mean"].get<double>(),
                        first[i]["monitor"]["directions"]["compliance"]["mean"].get<double>(), 1e-2);
        }
    }
    options.defend = MonitorDefend::flagged;
    expect_error(ErrorKind::usage, {"transcripts.jsonl:1", "already has a response"}, [&] { monitor(options); });

    options.input = folder / "prompts.jsonl";
    const MonitorResult defended = monitor(options);
    EXPECT_EQ(defended.n_rewritten, 2u);
    for (const json & line : report()) {
        EXPECT_EQ(line["monitor"]["defended"], line["monitor"].contains("draft"));
        if (line["monitor"]["defended"].get<bool>()) {
            EXPECT_NEAR(line["monitor"]["directions"]["compliance"]["mean"].get<double>(), 0, 1e-3);
        }
    }
}

TEST_F(MonitorModel, RefusesWhatContradictsItself) {
    options.input = folder / "prompts.jsonl";
    options.defend = MonitorDefend::flagged;
    expect_error(ErrorKind::usage, {"needs --thresholds"}, [&] { monitor(options); });
    options.defend = MonitorDefend::off;
    options.quantile = 1;
    expect_error(ErrorKind::usage, {"--quantile 1"}, [&] { monitor(options); });
    options.quantile = 0.9;
    options.thresholds = folder / "none.json";
    options.learn = folder / "new.json";
    expect_error(ErrorKind::usage, {"give one of the two"}, [&] { monitor(options); });
}

} // namespace
} // namespace valuelens
