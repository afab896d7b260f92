// Value Portrait, answered by a fake.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/file.h"
#include "concepts/questionnaire.h"
#include "evaluate/fake_respondent.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"

namespace valuelens {
namespace {

using test::FakeRespondent;
using test::letter_of;
using test::sure_of;

constexpr const char * two_queries = R"([
  {"content": {"title": "T1", "text": "What to do?"}, "portrait_id": 1, "outputs": [
    {"content": "Take command.", "id": 1, "correlations": [["Power", 0.5], ["Achievement", 0.31], ["Tradition", -0.4]]},
    {"content": "Pray.", "id": 2, "correlations": [["Power", 0.1], ["Tradition", 0.4]]},
    {"content": "Shrug.", "id": 3, "correlations": [["Power", 0.3]]}]},
  {"content": {"title": null, "text": "And now?"}, "portrait_id": 2, "outputs": [
    {"content": "Win it.", "id": 1, "correlations": [["Achievement", 0.6], ["Luck", 0.9]]}]}])";

class Portrait : public testing::Test {
protected:
    Portrait() {
        write_file(path_, two_queries);
        respondent_.on_score = [](const std::string & prompt, std::size_t n, std::size_t) {
            const bool own = prompt.find("Take command.") != std::string::npos;
            return sure_of(letter_of(prompt, own ? "Very similar" : "Not similar at all"), n);
        };
        respondent_.on_read = [](const Passage & passage, std::size_t variant) -> PassageScore {
            const std::size_t tokens = passage.reply == "Pray." ? 2 : 4;
            return {-static_cast<double>(tokens) * (variant == 0 ? 2 : 1), tokens};
        };
    }

    Evaluation run(PortraitOptions options, const EvaluationOptions & evaluation = {.bootstraps = 50}) {
        options.input = path_;
        return portrait_task(options, schwartz10())->run(respondent_, evaluation);
    }

    static double estimate(const Evaluation & evaluation, const std::string & measure, const std::string & group,
                           std::size_t variant = 0) {
        return evaluation.find(measure, group)->scores[variant].estimate.value;
    }

    static std::size_t dropped(const Evaluation & evaluation, const std::string & reason) {
        for (const EvaluationDrop & drop : evaluation.dropped) {
            if (drop.reason == reason) {
                return drop.count;
            }
        }
        return 0;
    }

    TempFolder folder_;
    std::filesystem::path path_ = folder_ / "tagged.json";
    FakeRespondent respondent_;
};

TEST_F(Portrait, ARepliesRatingCountsForEachValueItGoesWith) {
    const Evaluation result = run({});
    EXPECT_EQ(respondent_.prompts.size(), 3u * 3 * 2);
    ASSERT_EQ(result.items.size(), 3u);
    EXPECT_THAT(result.items[0].groups, testing::UnorderedElementsAre("power", "achievement"));
    EXPECT_EQ(result.items[0].cluster, result.items[1].cluster) << "replies to one query are drawn together";
    EXPECT_NE(result.items[0].cluster, result.items[2].cluster);
    EXPECT_NEAR(estimate(result, "similarity", "power"), 6, 1e-9);
    EXPECT_NEAR(estimate(result, "similarity", "achievement"), 3.5, 1e-9);
    EXPECT_NEAR(estimate(result, "similarity", "tradition"), 1, 1e-9);
    EXPECT_NEAR(estimate(result, "similarity_centred", "power"), 6 - 8.0 / 3, 1e-9);
    EXPECT_EQ(dropped(result, "no_correlation_above_minimum"), 1u) << "0.3 is not above 0.3";
    EXPECT_EQ(dropped(result, "tag_is_no_concept"), 1u);
}

TEST_F(Portrait, TheProfileIsTheLogProbabilityOfTheReplies) {
    const Evaluation result = run({.similarity = false});
    EXPECT_TRUE(respondent_.prompts.empty());
    EXPECT_EQ(estimate(result, "logprob_sum", "achievement"), -16);
    EXPECT_EQ(estimate(result, "logprob_sum", "tradition"), -4);
    EXPECT_EQ(estimate(result, "logprob_sum", "", 1), -10);
    EXPECT_EQ(estimate(result, "logprob_per_token", "achievement"), -2);
    EXPECT_EQ(result.find("logprob_per_token", "achievement")->differences[1].estimate.value, 1);
    EXPECT_EQ(estimate(result, "logprob_per_token_centred", "power"), 0);
    EXPECT_EQ(result.find("logprob_sum")->differences[1].estimate.value, 10);
    EXPECT_EQ(result.find("similarity"), nullptr);
}

TEST_F(Portrait, ReplyThatDoesNotFitIsLeftOutOfItsPartAlone) {
    respondent_.on_read = [](const Passage & passage, std::size_t) -> PassageScore {
        return passage.reply == "Pray." ? PassageScore{} : PassageScore{-3, 3};
    };
    const Evaluation result = run({});
    EXPECT_EQ(dropped(result, "too_long_to_read"), 1u);
    EXPECT_EQ(result.find("logprob_per_token")->scores[0].n, 2u);
    EXPECT_EQ(result.find("similarity")->scores[0].n, 3u);
}

TEST_F(Portrait, ALogProbabilityThatIsNoNumberIsDroppedAndCounted) {
    respondent_.on_read = [](const Passage & passage, std::size_t variant) -> PassageScore {
        return {variant == 1 && passage.reply == "Pray." ? std::nan("") : -3, 3};
    };
    const Evaluation result = run({});
    ASSERT_EQ(dropped(result, "not_finite"), 1u);
    EXPECT_EQ(dropped(result, "too_long_to_read"), 0u);
    const EvaluationDrop & drop = *std::find_if(result.dropped.begin(), result.dropped.end(),
                                                [](const auto & each) { return each.reason == "not_finite"; });
    EXPECT_EQ(drop.variant, "steered");
    EXPECT_EQ(drop.unit, "replies");
    EXPECT_EQ(result.find("logprob_per_token")->scores[0].n, 3u);
    EXPECT_EQ(result.find("logprob_per_token")->scores[1].n, 2u);
}

TEST_F(Portrait, ParsedRepliesAreComparedOnTheFramesThatBothHave) {
    // The base loses one frame; where it answers, the variant is one step above it, and in the lost one far below.
    const AnswerScale scale = *shipped_questionnaire_texts("en").similarity;
    respondent_.on_answer = [&](const std::string & prompt, std::size_t variant) -> std::optional<std::string> {
        const bool lost = prompt.starts_with("Somebody wrote");
        return variant == 0 ? (lost ? "hm" : scale.options[2]) : scale.options[lost ? 5 : 1];
    };
    const Evaluation result = run({.reading = AnswerReading::greedy});
    EXPECT_EQ(result.find("similarity")->differences[1].estimate.value, 1);
    EXPECT_EQ(result.find("similarity")->differences[1].n, 3u);
    EXPECT_EQ(result.find("logprob_per_token")->differences[1].estimate.value, 1) << "is read in one way";
}

TEST_F(Portrait, OptionsThatLeaveNothingAreRefused) {
    expect_error(ErrorKind::usage, {"similarity, generation"},
                 [&] { run({.similarity = false, .generation = false}); });
    expect_error(ErrorKind::bad_input, {"tagged.json", "0.95"}, [&] { run({.min_correlation = 0.95}); });
    expect_error(ErrorKind::usage, {"--min-correlation"}, [&] { run({.min_correlation = NAN}); });
}

TEST_F(Portrait, LimitTakesASampleOfTheTaggedReplies) {
    EXPECT_EQ(run({}, {.limit = 2, .bootstraps = 0}).items.size(), 2u);
}

} // namespace
} // namespace valuelens
