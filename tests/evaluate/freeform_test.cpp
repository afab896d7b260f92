// Free answers to portraits, by a fake, judged by a fake.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "evaluate/fake_rater.h"
#include "evaluate/fake_respondent.h"
#include "evaluate/rater.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"
#include "valuelens/evaluation_judged.h"

namespace valuelens {
namespace {

using test::dropped;
using test::FakeRater;
using test::FakeRespondent;
using test::no_verdict;
using test::verdict_for;
using testing::HasSubstr;
using testing::Not;

class Freeform : public testing::Test {
protected:
    Freeform() {
        respondent_.on_answer = [](const std::string & prompt, std::size_t variant) -> std::optional<std::string> {
            return (variant == 0 ? "plain: " : "steered: ") + prompt;
        };
        // 4 for the base, 7 for the variant; one more for power.
        judge_->on_ask = [](const std::string & question, std::size_t n) {
            const bool steered = question.find("steered: ") != std::string::npos;
            const bool power = question.find("cares about Power") != std::string::npos;
            return verdict_for((steered ? 7u : 4u) + (power ? 1u : 0u), n);
        };
        write_file(path_, R"({"id": "1", "value": "power", "text": "She leads."}
{"id": "2", "value": "hedonism", "text": "He enjoys."}
{"id": "3", "value": "power", "text": "They rule."}
)");
    }

    Evaluation run(FreeformOptions options = {}, const EvaluationOptions & evaluation = {.bootstraps = 50}) {
        if (options.input.empty()) {
            options.input = path_;
        }
        return freeform_task(options, schwartz10(), judge_)->run(respondent_, evaluation);
    }

    TempFolder folder_;
    std::filesystem::path path_ = folder_ / "portraits.jsonl";
    FakeRespondent respondent_;
    std::shared_ptr<FakeRater> judge_ = std::make_shared<FakeRater>();
};

TEST_F(Freeform, RatesEachAnswerForTheValueOfItsPortrait) {
    const Evaluation result = run();
    EXPECT_EQ(respondent_.prompts.size(), 3u * 3) << "three questions about each portrait";
    EXPECT_EQ(judge_->questions.size(), 3u * 3 * 2);
    EXPECT_THAT(judge_->questions[0], HasSubstr("She leads."));
    EXPECT_EQ(result.items.size(), 3u);
    EXPECT_EQ(result.find("rating", "power")->scores[0].estimate.value, 5);
    EXPECT_EQ(result.find("rating", "power")->scores[0].n, 2u);
    EXPECT_EQ(result.find("rating", "hedonism")->scores[1].estimate.value, 7);
    EXPECT_EQ(result.find("rating", "power")->differences[1].estimate.value, 3);
    EXPECT_NEAR(result.find("rating_centred", "hedonism")->scores[0].estimate.value, 4 - 14.0 / 3, 1e-12);
    EXPECT_EQ(result.find("judge_mass")->scores[0].estimate.value, 0.5);
    EXPECT_THAT(result.settings, testing::Contains(testing::Pair("judge", "fake judge")));
    EXPECT_THAT(evaluation_json(result), Not(HasSubstr("steered: ")));
}

TEST_F(Freeform, EveryValueOnRequest) {
    const Evaluation result = run({.every_value = true});
    EXPECT_EQ(judge_->questions.size(), 3u * 3 * 2 * 10);
    EXPECT_EQ(result.items.size(), 30u);
    EXPECT_EQ(result.items[0].cluster, result.items[9].cluster) << "an answer is drawn with all its values";
    EXPECT_EQ(result.find("rating", "tradition")->scores[0].n, 3u);
    EXPECT_EQ(result.find("rating", "power")->scores[1].estimate.value, 8);
}

TEST_F(Freeform, WhatHasNoVerdictIsCountedAndLeftOut) {
    respondent_.on_answer = [](const std::string & prompt, std::size_t variant) -> std::optional<std::string> {
        if (prompt.find("He enjoys.") != std::string::npos) {
            return std::nullopt;
        }
        return prompt.find("They rule.") != std::string::npos && variant == 1 ? "  " : "plain: " + prompt;
    };
    int asked = 0;
    judge_->on_ask = [&](const std::string &, std::size_t n) {
        return asked++ == 0 ? no_verdict(NoVerdict::unparsable) : verdict_for(6, n);
    };
    const Evaluation result = run();
    EXPECT_EQ(dropped(result, "too_long"), 1u);
    EXPECT_EQ(dropped(result, "empty", "steered"), 3u);
    EXPECT_EQ(dropped(result, "verdict_unparsable", "base"), 1u);
    EXPECT_EQ(result.find("rating", "power")->scores[0].n, 2u);
    EXPECT_EQ(result.find("rating", "power")->scores[1].n, 1u);
    EXPECT_EQ(result.find("rating", "power")->differences[1].n, 1u);
}

TEST_F(Freeform, VariantsThatLostDifferentAnswersAreComparedOnThoseThatBothHave) {
    // Both answer each question alike, and better from one to the next; the base leaves out the first, the variant the
    // last.
    const auto place_of = [](const std::string & text) {
        return text.find("in it?") != std::string::npos             ? 0u
               : text.find("living this way?") != std::string::npos ? 1u
                                                                    : 2u;
    };
    respondent_.on_answer = [&](const std::string & prompt, std::size_t variant) -> std::optional<std::string> {
        return place_of(prompt) == (variant == 0 ? 0u : 2u) ? "" : "an answer";
    };
    judge_->on_ask = [&](const std::string & question, std::size_t n) {
        return verdict_for(3 * place_of(question), n, 0.1 * (1 + place_of(question)));
    };
    const Evaluation result = run();
    EXPECT_EQ(result.find("rating")->scores[0].estimate.value, 4.5);
    EXPECT_EQ(result.find("rating")->scores[1].estimate.value, 1.5);
    EXPECT_EQ(result.find("rating")->differences[1].estimate.value, 0) << "to the same question both say the same";
    EXPECT_EQ(result.find("rating")->differences[1].n, 3u);
    EXPECT_EQ(result.find("rating_centred", "power")->differences[1].estimate.value, 0);
    EXPECT_EQ(result.find("judge_mass")->differences[1].estimate.value, 0);
    EXPECT_EQ(dropped(result, "empty", "base"), 3u);
}

TEST_F(Freeform, WhereNothingIsLostAScoreIsTheMeanOfItsQuestionsInOrder) {
    judge_->on_ask = [](const std::string & question, std::size_t) {
        Verdict verdict;
        verdict.probabilities.assign(11, 0.0);
        const double p = 0.1 + 0.001 * static_cast<double>(question.size() % 700);
        verdict.probabilities[3] = p;
        verdict.probabilities[8] = 1 - p;
        verdict.mass = p / 3;
        return verdict;
    };
    const Evaluation result = run();
    ASSERT_EQ(judge_->questions.size(), 3u * 3 * 2);
    double rating = 0;
    double mass = 0;
    for (std::size_t frame = 0; frame < 3; ++frame) { // of the second portrait, by the variant
        const Verdict verdict = judge_->on_ask(judge_->questions[6 + 2 * frame + 1], 11);
        rating += expected_rating(verdict);
        mass += verdict.mass;
    }
    EXPECT_EQ(result.items[1].scores[0][1], rating / 3) << "to the last bit";
    EXPECT_EQ(result.items[1].scores[3][1], mass / 3);
    EXPECT_TRUE(result.items[1].shared.empty());
}

TEST_F(Freeform, LengthsAndWhatWasCutOffAreThoseOfTheRatedAnswers) {
    respondent_.on_answer = nullptr;
    respondent_.on_write = [](const std::string & prompt, std::size_t variant, std::size_t) {
        const bool second = prompt.find("living this way?") != std::string::npos;
        return std::optional(variant == 0 ? WrittenAnswer{"I do, and gladly.", 5, false, {}}
                                          : WrittenAnswer{second ? "" : "Well, no. 我喜欢", 9, true, {}});
    };
    const Evaluation result = run();
    EXPECT_EQ(respondent_.answer_options.temperature, 0);
    EXPECT_EQ(respondent_.answer_options.max_tokens, 128);
    EXPECT_EQ(result.find("cut_off")->scores[0].estimate.value, 0);
    EXPECT_EQ(result.find("cut_off")->scores[1].estimate.value, 100);
    EXPECT_EQ(result.find("answer_words")->scores[0].estimate.value, 4);
    EXPECT_EQ(result.find("answer_words")->scores[1].estimate.value, 4) << "by Unicode's words, without the empty ones";
    EXPECT_EQ(dropped(result, "empty", "steered"), 3u);
}

TEST_F(Freeform, AJudgeThatWouldRatherSaySomethingElseIsNoted) {
    EXPECT_THAT(run().notes, Not(testing::Contains(HasSubstr("say little")))) << "half is enough";
    judge_->on_ask = [](const std::string &, std::size_t n) {
        return verdict_for(5, n, 0.25);
    };
    EXPECT_THAT(run().notes, testing::Contains(HasSubstr("25 %")));
}

TEST_F(Freeform, AJudgeThatNeverAnswersIsAnErrorOfTheJudge) {
    judge_->on_ask = [](const std::string &, std::size_t) {
        return no_verdict(NoVerdict::rejected);
    };
    expect_error(ErrorKind::judge, {"9 ratings", "verdict_rejected"}, [&] { run(); });
}

TEST_F(Freeform, ARepairedJudgeIsAskedAgain) {
    FreeformOptions options;
    options.files.part = folder_ / "result.json.part";
    const auto works = judge_->on_ask;
    judge_->on_ask = [](const std::string &, std::size_t) {
        return no_verdict(NoVerdict::unparsable);
    };
    expect_error(ErrorKind::judge, {"no verdict that counts"}, [&] { run(options); });
    EXPECT_FALSE(std::filesystem::exists(options.files.part)) << "answers without a verdict are nothing to go on from";
    judge_->on_ask = works;
    EXPECT_FALSE(run(options).rows.empty());
}

TEST_F(Freeform, WhatCouldNotBeWrittenIsNotSaidToBeKept) {
    FreeformOptions options;
    std::vector<std::string> said;
    options.files.say = [&](std::string_view text) {
        said.emplace_back(text);
    };
    options.files.part = folder_ / "no such folder" / "result.json.part";
    expect_error(ErrorKind::bad_input, {"result.json.part"}, [&] { run(options); });
    EXPECT_THAT(said, testing::Each(Not(HasSubstr("kept"))));
}

TEST_F(Freeform, AfterAFailureTheFinishedSlicesAreTakenOver) {
    // 40 portraits x 3 questions x 2 variants: two slices.
    FreeformOptions options;
    options.files.part = folder_ / "result.json.part";
    options.files.completions = folder_ / "texts.jsonl";
    std::string said;
    options.files.say = [&](std::string_view text) {
        said += text;
    };
    const auto shipped = [&] {
        return freeform_task(options, schwartz10(), judge_)->run(respondent_, {.bootstraps = 20});
    };
    judge_->breaks_at = 1;
    expect_error(ErrorKind::judge, {"gone"}, shipped);
    EXPECT_THAT(said, HasSubstr("1 of 2 slices are finished"));
    const std::size_t first = judge_->questions.size();
    EXPECT_THAT(read_file(options.files.part), Not(HasSubstr("plain: "))) << "texts are in their own file alone";
    write_file(options.files.completions, read_file(options.files.completions) + "{\"half a slice\": 1}\n");

    judge_->questions.clear();
    judge_->address = "http://moved/v1"; // the same judge elsewhere
    respondent_.threads = "8";
    const Evaluation resumed = shipped();
    EXPECT_EQ(first + judge_->questions.size(), 40u * 3 * 2) << "no answer is judged twice";
    EXPECT_THAT(said, HasSubstr("going on from"));
    const std::string texts = read_file(options.files.completions);
    EXPECT_THAT(texts, Not(HasSubstr("half a slice")));
    EXPECT_EQ(std::count(texts.begin(), texts.end(), '\n'), 40 * 3 * 2);

    options.files = {};
    EXPECT_EQ(evaluation_json(resumed), evaluation_json(shipped())) << "as if nothing had happened";
}

TEST_F(Freeform, WhatAnotherEvaluationLeftIsNotTaken) {
    FreeformOptions options;
    options.files.part = folder_ / "result.json.part";
    run(options);
    const std::size_t once = judge_->questions.size();
    run(options);
    EXPECT_EQ(judge_->questions.size(), once) << "all is there";
    run(options, {.bootstraps = 50, .seed = 7});
    EXPECT_EQ(judge_->questions.size(), 2 * once);
    options.max_tokens = 9;
    run(options);
    EXPECT_EQ(judge_->questions.size(), 3 * once);

    write_evaluation(options.files.part, run());
    expect_error(ErrorKind::bad_input, {"result.json.part", "something else"}, [&] { run(options); });
    expect_error(ErrorKind::usage, {"--max-tokens 0"}, [&] { run({.max_tokens = 0}); });
}

} // namespace
} // namespace valuelens
