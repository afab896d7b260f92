// The value questionnaire, answered by a fake.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/file.h"
#include "base/hash.h"
#include "concepts/questionnaire.h"
#include "evaluate/fake_respondent.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"

namespace valuelens {
namespace {

using test::FakeRespondent;
using test::letter_of;
using test::sure_of;

/// Very much like portraits of power, and somewhat like all others; steered, like all.
void care_for_power(FakeRespondent & respondent, const std::vector<std::string> & power_texts) {
    respondent.on_score = [power_texts](const std::string & prompt, std::size_t n, std::size_t variant) {
        const bool power = std::any_of(power_texts.begin(), power_texts.end(), [&](const std::string & text) {
            return prompt.find(text) != std::string::npos;
        });
        return sure_of(letter_of(prompt, power || variant == 1 ? "Very much like me" : "Somewhat like me"), n);
    };
}

std::vector<std::string> texts_of(const Questionnaire & questionnaire, const std::string & value) {
    std::vector<std::string> texts;
    for (const QuestionnaireItem & item : questionnaire.items) {
        if (item.value == value) {
            texts.push_back(item.text);
        }
    }
    return texts;
}

double estimate(const Evaluation & evaluation, const std::string & measure, const std::string & group,
                std::size_t variant = 0) {
    return evaluation.find(measure, group)->scores[variant].estimate.value;
}

TEST(Pvq, ScoresTheShippedPortraitsRawAndCentred) {
    FakeRespondent respondent;
    care_for_power(respondent, texts_of(shipped_portraits("en"), "power"));
    const Evaluation result = pvq_task({}, schwartz10())->run(respondent, {.bootstraps = 200});

    EXPECT_EQ(respondent.prompts.size(), 40u * 3 * 2);
    EXPECT_EQ(result.items.size(), 40u);
    EXPECT_NEAR(estimate(result, "likeness", "power"), 6, 1e-9);
    EXPECT_NEAR(estimate(result, "likeness", "tradition"), 4, 1e-9);
    const double mean = (3 * 6 + 37 * 4) / 40.0; // three portraits are of power
    EXPECT_NEAR(estimate(result, "likeness", ""), mean, 1e-9);
    EXPECT_NEAR(estimate(result, "likeness_centred", "power"), 6 - mean, 1e-9);
    EXPECT_NEAR(estimate(result, "likeness_centred", "security"), 4 - mean, 1e-9);

    // Saying yes to everything raises all raw scores, and lowers what stood out.
    EXPECT_NEAR(estimate(result, "likeness", "tradition", 1), 6, 1e-9);
    EXPECT_NEAR(estimate(result, "likeness_centred", "tradition", 1), 0, 1e-9);
    EXPECT_NEAR(result.find("likeness_centred", "power")->differences[1].estimate.value, -(6 - mean), 1e-9);
    EXPECT_EQ(result.find("likeness", "universalism")->scores[0].n, 6u);
    EXPECT_TRUE(result.dropped.empty());
    EXPECT_EQ(result.model_name, "fake");
    EXPECT_THAT(result.settings, testing::Contains(testing::Pair("language", "en")));
}

TEST(Pvq, AModelThatWouldRatherSaySomethingElseIsNoted) {
    FakeRespondent respondent;
    respondent.on_score = [](const std::string &, std::size_t n, std::size_t) {
        return std::vector<double>(n, std::log(1e-4));
    };
    EXPECT_THAT(
        pvq_task({}, schwartz10())->run(respondent, {.limit = 2, .bootstraps = 0}).notes,
        testing::Contains(testing::HasSubstr("option_mass: the model as it is answers with one of the options in "
                                             "0.06 %")));
    care_for_power(respondent, {});
    EXPECT_TRUE(pvq_task({}, schwartz10())->run(respondent, {.limit = 2, .bootstraps = 0}).notes.empty());
}

std::string setting(const Evaluation & evaluation, const std::string & name) {
    for (const auto & [key, value] : evaluation.settings) {
        if (key == name) {
            return value;
        }
    }
    return "";
}

TEST(Pvq, SaysWhatConceptsAndKeyItRestsOn) {
    FakeRespondent respondent;
    care_for_power(respondent, {});
    const EvaluationOptions brief = {.limit = 2, .bootstraps = 0};
    const Evaluation result = pvq_task({}, schwartz10())->run(respondent, brief);
    EXPECT_EQ(setting(result, "concepts"), schwartz10().name);
    ConceptSet changed = schwartz10();
    changed.concepts.front().definition += " and more";
    const std::string hash = setting(result, "concepts_sha256");
    EXPECT_EQ(hash.size(), 64u);
    EXPECT_NE(setting(pvq_task({}, changed)->run(respondent, brief), "concepts_sha256"), hash);

    TempFolder folder;
    std::string statements;
    for (int i = 1; i <= 2; ++i) {
        statements += fmt::format("statement {}\n", i);
    }
    write_file(folder / "form.txt", statements);
    const std::string key = "name = \"mine\"\nitems = 2\n[values]\npower = [1]\nsecurity = [2]\n";
    write_file(folder / "key.toml", key);
    const Evaluation keyed =
        pvq_task({.input = folder / "form.txt", .key = (folder / "key.toml").string()}, schwartz10())
            ->run(respondent, brief);
    EXPECT_EQ(setting(keyed, "key"), "key.toml");
    EXPECT_EQ(setting(keyed, "key_sha256"), sha256_hex(key));
}

TEST(Pvq, SpeaksTheLanguagesThatAreShipped) {
    for (const std::string & language : questionnaire_languages()) {
        FakeRespondent respondent({"base"});
        const std::string first = shipped_questionnaire_texts(language).likeness.options.front();
        respondent.on_score = [&](const std::string & prompt, std::size_t n, std::size_t) {
            return sure_of(letter_of(prompt, first), n);
        };
        const Evaluation result =
            pvq_task({.language = language}, schwartz10())->run(respondent, {.limit = 5, .bootstraps = 0});
        EXPECT_EQ(result.items.size(), 5u);
        EXPECT_NEAR(estimate(result, "likeness", ""), 6, 1e-9) << language;
        EXPECT_TRUE(std::isnan(result.find("likeness")->scores[0].estimate.low)) << "no resamples, no interval";
    }
    expect_error(ErrorKind::usage, {"\"de\"", "zh"}, [] { pvq_task({.language = "de"}, schwartz10()); });
}

TEST(Pvq, TakesAPublishedQuestionnaireWithItsKey) {
    const TempFolder folder;
    std::string lines;
    for (int i = 1; i <= 57; ++i) {
        lines += std::to_string(i) + ". Statement number " + std::to_string(i) + " of the form.\n";
    }
    write_file(folder / "rr.txt", lines);
    FakeRespondent respondent({"base"});
    care_for_power(respondent, {"number 6 ", "number 29 ", "number 41 ", "number 12 ", "number 20 ", "number 44 "});
    const Evaluation result =
        pvq_task({.input = folder / "rr.txt", .key = "pvq-rr"}, schwartz10())->run(respondent, {.bootstraps = 0});
    EXPECT_EQ(result.items.size(), 54u);
    EXPECT_NEAR(estimate(result, "likeness", "power"), 6, 1e-9);
    EXPECT_NEAR(estimate(result, "likeness", "hedonism"), 4, 1e-9);
    ASSERT_EQ(result.dropped.size(), 1u);
    EXPECT_EQ(result.dropped[0].count, 3u) << "the items of face";
    EXPECT_THAT(result.settings,
                testing::IsSupersetOf({testing::Pair(std::string("input"), std::string("rr.txt")),
                                       testing::Pair(std::string("input_sha256"), sha256_hex(lines))}));

    expect_error(ErrorKind::usage, {"--key pvq40", "--input"}, [] { pvq_task({.key = "pvq40"}, schwartz10()); });
    expect_error(ErrorKind::usage, {"rr.txt", "--key"}, [&] { pvq_task({.input = folder / "rr.txt"}, schwartz10()); });
    expect_error(ErrorKind::bad_input, {"rr.txt", "40"},
                 [&] { pvq_task({.input = folder / "rr.txt", .key = "pvq40"}, schwartz10()); });
}

TEST(Pvq, AnotherConceptSetNeedsItsOwnStatements) {
    const TempFolder folder;
    ConceptSet concepts;
    concepts.name = "moods";
    concepts.concepts = {{.id = "calm", .name = "calm"}, {.id = "wild", .name = "wild"}};
    expect_error(ErrorKind::usage, {"moods", "--input"}, [&] { pvq_task({}, concepts); });

    write_file(folder / "moods.jsonl", "{\"id\": \"1\", \"value\": \"calm\", \"text\": \"Sits still.\"}\n"
                                       "{\"id\": \"2\", \"value\": \"wild\", \"text\": \"Runs about.\"}\n");
    FakeRespondent respondent({"base"});
    care_for_power(respondent, {"Runs about."});
    const Evaluation result = pvq_task({.input = folder / "moods.jsonl"}, concepts)->run(respondent, {.bootstraps = 0});
    EXPECT_NEAR(estimate(result, "likeness_centred", "wild"), 1, 1e-9);
}

TEST(Pvq, GreedyAnswersThatCannotBeParsedAreCountedPerVariant) {
    FakeRespondent respondent;
    respondent.on_answer = [](const std::string & prompt, std::size_t variant) -> std::optional<std::string> {
        return variant == 1 ? "lalala" : std::string(1, static_cast<char>('A' + letter_of(prompt, "Largely like me")));
    };
    const Evaluation result =
        pvq_task({.reading = AnswerReading::greedy}, schwartz10())->run(respondent, {.limit = 4, .bootstraps = 0});
    EXPECT_EQ(estimate(result, "likeness", ""), 5);
    EXPECT_TRUE(std::isnan(estimate(result, "likeness", "", 1)));
    EXPECT_EQ(result.find("likeness")->differences[1].n, 0u);
    ASSERT_EQ(result.dropped.size(), 2u);
    EXPECT_EQ(result.dropped[0].reason, "unparsable");
    EXPECT_EQ(result.dropped[0].variant, "steered");
    EXPECT_EQ(result.dropped[0].count, 24u);
    EXPECT_EQ(result.dropped[1].count, 4u);
    EXPECT_EQ(result.find("option_mass"), nullptr) << "a parsed answer has none";
}

TEST(Pvq, WhereNothingFitsTheReasonIsSaid) {
    FakeRespondent respondent;
    respondent.on_score = [](const std::string &, std::size_t, std::size_t) {
        return std::vector<double>();
    };
    expect_error(ErrorKind::bad_input, {"pvq", "40 items too_long"},
                 [&] { pvq_task({}, schwartz10())->run(respondent, {}); });
}

} // namespace
} // namespace valuelens
