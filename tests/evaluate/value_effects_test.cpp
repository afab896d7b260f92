// What steering toward one value does to the others, on made-up scores and with a fake respondent.

#include "evaluate/value_effects.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "concepts/questionnaire.h"
#include "evaluate/fake_rater.h"
#include "evaluate/fake_respondent.h"
#include "support/expect_error.h"
#include "valuelens/rule_evaluations.h"

namespace valuelens {
namespace {

using test::FakeRespondent;

ConceptSet four_winds() {
    ConceptSet concepts;
    concepts.name = "winds";
    for (const auto & [id, angle] : {std::pair{"north", 0.0}, {"east", 90.0}, {"south", 180.0}, {"west", 270.0}}) {
        concepts.concepts.push_back({.id = id, .name = id, .angle = angle});
    }
    return concepts;
}

/// Two items for each wind; steering toward one adds the cosine of the angle, and `uniform` to all items.
Evaluation compass(double uniform, const std::string & label = "") {
    const ConceptSet concepts = four_winds();
    Evaluation evaluation;
    evaluation.bootstraps = 200;
    evaluation.confidence = 0.95;
    evaluation.quantities = {"x"};
    evaluation.variants.push_back({"base", {}, {}, nullptr});
    for (const Concept & steered : concepts.concepts) {
        evaluation.variants.push_back({steered.id + label, {}, {}, nullptr});
    }
    for (std::size_t i = 0; i < 8; ++i) {
        const Concept & own = concepts.concepts[i % 4];
        std::vector<double> scores = {static_cast<double>(i)};
        for (const Concept & steered : concepts.concepts) {
            scores.push_back(static_cast<double>(i) + uniform +
                             std::cos((*own.angle - *steered.angle) * std::numbers::pi / 180));
        }
        evaluation.items.push_back({std::to_string(i), std::to_string(i), {own.id}, {scores}});
    }
    return evaluation;
}

const EvaluationStatistic & statistic(const Evaluation & evaluation, const std::string & name) {
    for (const EvaluationStatistic & each : evaluation.statistics) {
        if (each.name == name) {
            return each;
        }
    }
    throw std::runtime_error("no statistic " + name);
}

TEST(ValueEffects, AMatrixThatFollowsTheCircle) {
    Evaluation evaluation = compass(5);
    const ConceptSet concepts = four_winds();
    const auto sets = value_variants(evaluation, concepts);
    ASSERT_EQ(sets.size(), 1u);
    const EffectMatrix matrix = effects(evaluation, {0}, sets[0], concepts).front();
    ASSERT_EQ(matrix.size(), 4u);
    EXPECT_NEAR(matrix[0][0], 1, 1e-12) << "what is added to all items is taken off";
    EXPECT_NEAR(matrix[0][1], 0, 1e-12);
    EXPECT_NEAR(matrix[1][3], -1, 1e-12);

    add_leakage(evaluation, 0, concepts);
    const EvaluationStatistic & circle = statistic(evaluation, "circle_correlation");
    EXPECT_NEAR(circle.estimate.value, 1, 1e-12);
    EXPECT_EQ(circle.n, 12u);
    // Of the 24 orders of four angles 8 turn or mirror the circle and fit exactly as well.
    EXPECT_NEAR(circle.p, 8.0 / 24, 0.03);
    EXPECT_GT(circle.estimate.low, 0.3);
    EXPECT_LE(circle.estimate.high, 1 + 1e-12);
    EXPECT_NEAR(statistic(evaluation, "target_effect").estimate.value, 1, 1e-12);
    EXPECT_NEAR(statistic(evaluation, "neighbour_effect").estimate.value, 0, 1e-12);
    EXPECT_NEAR(statistic(evaluation, "opposite_effect").estimate.value, -1, 1e-12);
}

TEST(ValueEffects, OfParsedAnswersRestOnTheFramesThatBothHave) {
    FakeRespondent respondent({"base", "power", "tradition"});
    respondent.on_answer = [](const std::string & prompt, std::size_t variant) -> std::optional<std::string> {
        std::size_t drawn = variant;
        for (const char c : prompt) {
            drawn = (drawn * 31 + static_cast<unsigned char>(c)) % 65521;
        }
        return drawn % 11 < 2 ? "hm" : std::string(1, static_cast<char>('A' + drawn % 6));
    };
    const Evaluation result =
        leakage_task({.reading = AnswerReading::greedy}, schwartz10())->run(respondent, {.bootstraps = 50});
    const auto compared = std::count_if(result.items.begin(), result.items.end(),
                                        [](const EvaluationItem & item) { return !item.shared.empty(); });
    EXPECT_GT(compared, 5) << "frames are lost here and there";
    const EffectMatrix matrix =
        effects(result, {0}, value_variants(result, schwartz10()).front(), schwartz10()).front();
    for (std::size_t value = 0; value < 10; ++value) {
        const std::string id = schwartz10().concepts[value].id;
        EXPECT_NEAR(matrix[0][value], result.find("likeness_centred", id)->differences[1].estimate.value, 1e-12);
    }
}

TEST(ValueEffects, VariantsWithALabelAreReadTogether) {
    Evaluation evaluation = compass(0, "/shared@4");
    evaluation.variants[2].name = "east/prompted@2";
    evaluation.variants[4].name = "nowhere";
    const auto sets = value_variants(evaluation, four_winds());
    ASSERT_EQ(sets.size(), 2u);
    EXPECT_EQ(sets[0].label, "shared@4");
    EXPECT_THAT(sets[0].values, testing::ElementsAre(0, 2));
    EXPECT_THAT(sets[0].variants, testing::ElementsAre(1, 3));
    EXPECT_EQ(sets[1].label, "prompted@2");
}

TEST(ValueEffects, TheEffectsAreThoseThatRowsReport) {
    // As rows and as a matrix, one number has one value and one interval.
    FakeRespondent respondent({"base", "power", "tradition"});
    const Questionnaire portraits = shipped_portraits("en");
    respondent.on_score = [&](const std::string & prompt, std::size_t n, std::size_t variant) {
        std::vector<double> logprobs(n, -4);
        logprobs[(prompt.size() * (variant + 1) + 3 * variant) % n] = -0.5;
        return logprobs;
    };
    const Evaluation result = leakage_task({}, schwartz10())->run(respondent, {.bootstraps = 100, .seed = 9});
    EXPECT_EQ(result.name, "leakage");
    const auto sets = value_variants(result, schwartz10());
    const std::size_t security = *schwartz10().find("security");
    const EvaluationRow & row = *result.find("likeness_centred", "security");
    const std::vector<Estimate> estimates =
        estimate_effects(result, {0}, sets.front(), schwartz10(), {[&](const std::vector<EffectMatrix> & of) {
                             return of.front()[1][security];
                         }});
    EXPECT_NEAR(estimates[0].value, row.differences[2].estimate.value, 1e-12);
    EXPECT_NEAR(estimates[0].low, row.differences[2].estimate.low, 1e-12);
    EXPECT_NEAR(estimates[0].high, row.differences[2].estimate.high, 1e-12);
    EXPECT_EQ(statistic(result, "circle_correlation").n, 2u * 9);
}

TEST(ValueEffects, WithoutAnglesThereIsANote) {
    Evaluation evaluation = compass(0);
    ConceptSet concepts = four_winds();
    for (Concept & each : concepts.concepts) {
        each.angle.reset();
    }
    add_leakage(evaluation, 0, concepts);
    EXPECT_TRUE(std::isnan(statistic(evaluation, "circle_correlation").estimate.value));
    EXPECT_NEAR(statistic(evaluation, "target_effect").estimate.value, 1, 1e-12);
    ASSERT_EQ(evaluation.notes.size(), 1u);
    EXPECT_THAT(evaluation.notes[0], testing::HasSubstr("winds"));
}

TEST(ValueEffects, ValuesWithoutItemsAreNamedAndNotCounted) {
    Evaluation evaluation = compass(0);
    evaluation.name = "leakage";
    std::erase_if(evaluation.items, [](const EvaluationItem & item) { return item.groups.front() == "east"; });
    add_leakage(evaluation, 0, four_winds());
    EXPECT_EQ(statistic(evaluation, "target_effect").n, 3u);
    EXPECT_EQ(statistic(evaluation, "neighbour_effect").n, 4u);
    EXPECT_THAT(evaluation.notes, testing::Contains(testing::HasSubstr("no item measures east")));
}

TEST(Leakage, NeedsVariantsThatNameAValue) {
    FakeRespondent respondent({"base", "steered"});
    expect_error(ErrorKind::usage, {"leakage", "{value}"},
                 [&] { leakage_task({}, schwartz10())->run(respondent, {}); });
}

TEST(CrossLingual, PutsLanguagesSideBySideAndTellsTransfer) {
    FakeRespondent respondent({"base", "power"});
    const auto texts = [](const std::string & language) {
        std::vector<std::string> all;
        for (const QuestionnaireItem & item : shipped_portraits(language).items) {
            if (item.value == "power") {
                all.push_back(item.text);
            }
        }
        return all;
    };
    const std::vector<std::string> english = texts("en");
    const auto holds = [](const std::string & prompt, const std::vector<std::string> & any) {
        return std::any_of(any.begin(), any.end(),
                           [&](const std::string & text) { return prompt.find(text) != std::string::npos; });
    };
    // The base likes nothing; steered toward power it likes portraits of power, in English alone.
    const std::string en = shipped_questionnaire_texts("en").likeness.options[2];
    respondent.on_score = [&](const std::string & prompt, std::size_t n, std::size_t variant) {
        const bool in_english = prompt.find(". " + en + "\n") != std::string::npos;
        const auto & options = shipped_questionnaire_texts(in_english ? "en" : "ko").likeness.options;
        const bool likes = variant == 1 && holds(prompt, english);
        return test::sure_of(test::letter_of(prompt, options[likes ? 0 : 2]), n);
    };
    const auto task = cross_lingual_task({.pvq = {}, .languages = {"en", "ko"}}, schwartz10());
    const Evaluation result = task->run(respondent, {.bootstraps = 100});
    EXPECT_EQ(result.name, "cross-lingual");
    EXPECT_EQ(result.items.size(), 40u);
    EXPECT_EQ(result.quantities.size(), 4u);
    EXPECT_NEAR(result.find("likeness_en", "power")->differences[1].estimate.value, 2, 1e-9);
    EXPECT_NEAR(result.find("likeness_ko", "power")->differences[1].estimate.value, 0, 1e-9);
    const double centred = 2 - 2 * 3 / 40.0; // three portraits of forty are of power
    EXPECT_NEAR(result.find("likeness_centred_en", "power")->differences[1].estimate.value, centred, 1e-9);
    ASSERT_EQ(result.statistics.size(), 3u);
    EXPECT_EQ(result.statistics[0].subject, "en");
    EXPECT_NEAR(result.statistics[0].estimate.value, centred, 1e-9);
    EXPECT_EQ(result.statistics[2].name, "target_effect_minus_en");
    EXPECT_EQ(result.statistics[2].subject, "ko");
    EXPECT_NEAR(result.statistics[2].estimate.value, -centred, 1e-9);
    EXPECT_THAT(result.settings, testing::Contains(testing::Pair("languages", "en,ko")));
}

TEST(CrossLingual, ALanguageWithoutAnswersLeavesTheOthers) {
    FakeRespondent respondent({"base", "power"});
    const std::string en = shipped_questionnaire_texts("en").likeness.options[2];
    bool english = true;
    respondent.on_answer = [&](const std::string & prompt, std::size_t variant) -> std::optional<std::string> {
        const bool in_english = prompt.find(". " + en + "\n") != std::string::npos;
        return in_english && english ? shipped_questionnaire_texts("en").likeness.options[variant] : "hmm";
    };
    const auto task =
        cross_lingual_task({.pvq = {.reading = AnswerReading::greedy}, .languages = {"en", "ko"}}, schwartz10());
    const Evaluation result = task->run(respondent, {.bootstraps = 20});
    EXPECT_NEAR(result.find("likeness_en", "power")->differences[1].estimate.value, -1, 1e-9);
    EXPECT_TRUE(std::isnan(result.find("likeness_ko", "power")->scores[0].estimate.value));
    EXPECT_THAT(result.notes, testing::Contains(testing::HasSubstr("no item has a score in ko")));
    EXPECT_GT(test::dropped(result, "unparsable_ko"), 0u);
    english = false;
    expect_error(ErrorKind::bad_input, {"cross-lingual: no item is left"}, [&] { task->run(respondent, {}); });
}

TEST(CrossLingual, RefusesWhatIsNoListOfLanguages) {
    expect_error(ErrorKind::usage, {"--languages"},
                 [] { cross_lingual_task({.pvq = {}, .languages = {}}, schwartz10()); });
    expect_error(ErrorKind::usage, {"--languages en,en"}, [] {
        cross_lingual_task({.pvq = {}, .languages = {"en", "en"}}, schwartz10());
    });
    expect_error(ErrorKind::usage, {"\"de\""},
                 [] { cross_lingual_task({.pvq = {}, .languages = {"de"}}, schwartz10()); });
    expect_error(ErrorKind::usage, {"--key"},
                 [] { cross_lingual_task({.pvq = {.key = "pvq40"}, .languages = {"en"}}, schwartz10()); });
}

} // namespace
} // namespace valuelens
