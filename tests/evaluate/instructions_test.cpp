// Instructions, followed or not by a fake.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "base/file.h"
#include "evaluate/fake_respondent.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"
#include "valuelens/rule_evaluations.h"

namespace valuelens {
namespace {

using test::FakeRespondent;

constexpr const char * two_prompts =
    R"({"key": 7, "prompt": "No commas, two words or more.", "instruction_id_list": ["punctuation:no_comma", "length_constraints:number_words"], "kwargs": [{}, {"relation": "at least", "num_words": 2, "letter": null}]}
{"key": "b", "prompt": "Quote.", "instruction_id_list": ["startend:quotation"], "kwargs": [{}]}
)";

double percent(const Evaluation & evaluation, const std::string & measure, const std::string & group = {},
               std::size_t variant = 0) {
    return evaluation.find(measure, group)->scores[variant].estimate.value;
}

TEST(Instructions, ScorePromptsAndInstructionsStrictlyAndLoosely) {
    const TempFolder folder;
    write_file(folder / "in.jsonl", two_prompts);
    FakeRespondent respondent;
    respondent.on_write = [](const std::string & prompt, std::size_t variant,
                             std::size_t) -> std::optional<WrittenAnswer> {
        if (prompt == "Quote.") {
            return WrittenAnswer{variant == 0 ? "\"yes\"" : "Sure:\n\"yes\"", 5, variant == 1, {}};
        }
        return WrittenAnswer{variant == 0 ? "one, two" : "one two", 3, false, {}};
    };
    const auto task = instructions_task({.input = folder / "in.jsonl", .max_tokens = 9});
    const Evaluation result = task->run(respondent, {.bootstraps = 50});
    EXPECT_EQ(respondent.answer_options.max_tokens, 9);
    EXPECT_EQ(respondent.answer_options.temperature, 0);
    EXPECT_EQ(result.group_kind, "instruction");
    // Base: the first prompt has a comma. Steered: the quotation begins a line late.
    EXPECT_EQ(percent(result, "prompt_strict"), 50);
    EXPECT_EQ(percent(result, "prompt_strict", "", 1), 50);
    EXPECT_EQ(percent(result, "prompt_loose", "", 1), 100);
    EXPECT_NEAR(percent(result, "instruction_strict"), 200.0 / 3, 1e-9);
    EXPECT_EQ(percent(result, "instruction_loose", "", 1), 100);
    EXPECT_EQ(percent(result, "instruction_strict", "startend:quotation", 1), 0);
    EXPECT_EQ(percent(result, "instruction_strict", "length_constraints:number_words"), 100);
    EXPECT_EQ(result.find("prompt_strict")->scores[0].n, 2u);
    EXPECT_EQ(result.find("instruction_strict")->scores[0].n, 3u);
    EXPECT_EQ(result.find("prompt_strict", "startend:quotation"), nullptr);
    EXPECT_EQ(percent(result, "cut_off", "", 1), 50);
    EXPECT_EQ(percent(result, "answer_tokens"), 4);
    EXPECT_FALSE(std::isnan(result.find("instruction_strict")->differences[1].estimate.low));
    EXPECT_TRUE(result.dropped.empty());
}

TEST(Instructions, PromptsThatDoNotFitAreDroppedAndCounted) {
    const TempFolder folder;
    write_file(folder / "in.jsonl", two_prompts);
    FakeRespondent respondent({"base"});
    respondent.on_write = [](const std::string & prompt, std::size_t, std::size_t) -> std::optional<WrittenAnswer> {
        return prompt == "Quote." ? std::nullopt : std::optional(WrittenAnswer{"well, no", 3, false, {}});
    };
    const Evaluation result = instructions_task({.input = folder / "in.jsonl"})->run(respondent, {.bootstraps = 0});
    ASSERT_EQ(result.dropped.size(), 1u);
    EXPECT_EQ(result.dropped[0].reason, "too_long");
    EXPECT_EQ(result.dropped[0].count, 1u);
    EXPECT_EQ(result.find("prompt_strict")->scores[0].n, 1u);
}

TEST(Instructions, TheShippedTasksAreOfThreeKinds) {
    FakeRespondent respondent({"base"});
    respondent.on_write = [](const std::string & prompt, std::size_t, std::size_t) -> std::optional<WrittenAnswer> {
        if (prompt.find("first five even numbers") != std::string::npos) {
            return WrittenAnswer{"[2, 4, 6, 8, 10]", 9, false, {}};
        }
        return WrittenAnswer{prompt, 3, false, {}}; // to repeat the task solves none
    };
    const Evaluation result = instructions_task({})->run(respondent, {.bootstraps = 0});
    EXPECT_EQ(percent(result, "instruction_strict", "json:schema"), 100.0 / 20);
    EXPECT_EQ(percent(result, "instruction_strict", "neutral:rewriting"), 0);
    EXPECT_EQ(percent(result, "instruction_strict", "neutral:translation"), 0);
    EXPECT_EQ(result.find("instruction_strict", "neutral:rewriting")->scores[0].n, 16u);
    EXPECT_EQ(result.find("instruction_strict", "neutral:translation")->scores[0].n, 16u);
}

TEST(Instructions, EveryInstructionOfIfevalIsKnown) {
    const std::filesystem::path input = std::filesystem::path(VALUELENS_SHARED_DIR) / "data/ifeval/input_data.jsonl";
    if (!std::filesystem::exists(input)) {
        GTEST_SKIP() << input << " is not there";
    }
    FakeRespondent respondent({"base"});
    respondent.on_write = [](const std::string &, std::size_t, std::size_t) {
        return WrittenAnswer{"x", 1, false, {}};
    };
    const Evaluation result = instructions_task({.input = input})->run(respondent, {.bootstraps = 0});
    EXPECT_EQ(result.find("prompt_strict")->scores[0].n, 541u);
    EXPECT_EQ(result.find("instruction_strict")->scores[0].n, 834u);
    std::set<std::string> groups;
    for (const EvaluationRow & row : result.rows) {
        groups.insert(row.group);
    }
    EXPECT_EQ(groups.size(), 25u + 1) << "and overall";
}

TEST(Instructions, BrokenInputIsRefusedWithItsLine) {
    const TempFolder folder;
    const auto refuse = [&](const std::string & text, std::vector<std::string> words) {
        write_file(folder / "in.jsonl", text);
        words.emplace_back("in.jsonl:");
        expect_error(ErrorKind::bad_input, words, [&] { instructions_task({.input = folder / "in.jsonl"}); });
    };
    refuse(std::string(two_prompts) +
               R"({"key": 9, "prompt": "x", "instruction_id_list": ["change_case:rot13"], "kwargs": [{}]})",
           {"in.jsonl:3", "change_case:rot13", "unknown instruction"});
    refuse(R"({"key": 9, "prompt": "x", "instruction_id_list": ["startend:quotation"], "kwargs": []})",
           {":1", "kwargs"});
    refuse(R"({"key": 9, "prompt": "x", "instruction_id_list": [], "kwargs": []})", {"at least one"});
    refuse(R"({"key": 9, "prompt": "x", "instruction_id_list": [3], "kwargs": [{}]})", {"no text"});
    refuse(R"({"key": 9, "prompt": "x", "kwargs": [{}]})", {"instruction_id_list"});
    refuse(R"({"key": 9, "instruction_id_list": ["startend:quotation"], "kwargs": [{}]})", {"prompt"});
    refuse(std::string(two_prompts) + two_prompts, {"\"7\"", "unique"});
    expect_error(ErrorKind::usage, {"--max-tokens 0"}, [] { instructions_task({.max_tokens = 0}); });
}

} // namespace
} // namespace valuelens
