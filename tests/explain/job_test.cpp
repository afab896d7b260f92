// The whole way from a corpus to scored explanations, with neurons that were planted in a tiny model.

#include "explain/job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "explain/harvest.h"
#include "explain/output.h"
#include "explain/planted_job.h"
#include "support/expect_error.h"

namespace valuelens {
namespace {

using nlohmann::json;
using test::StopAfter;
using testing::HasSubstr;

class CollectedMessages : public ProgressSink {
public:
    void advance(std::uint64_t done, std::string_view extra) override {
        progress.push_back(fmt::format("{} {}", done, extra));
    }
    void message(LogLevel, std::string_view text) override { texts.emplace_back(text); }
    std::vector<std::string> texts;
    std::vector<std::string> progress;
};

class ExplainJobTest : public test::PlantedJob {};

TEST_F(ExplainJobTest, APlantedNeuronIsExplainedAndScoredAndAShuffledExplanationIsNot) {
    const ExplainSummary summary = run(test::answer_by_rule);
    EXPECT_EQ(summary.n_explained, 2u);
    EXPECT_EQ(summary.n_failed, 0u);
    EXPECT_EQ(summary.n_unscored, 0u);
    EXPECT_EQ(summary.documents, 400u);
    const std::vector<json> found = lines();
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0]["explanation"], "digits");
    EXPECT_EQ(found[0]["neuron"], test::digit_neuron);
    EXPECT_EQ(found[0]["roles"].size(), 2u);
    EXPECT_THAT(found[0]["prompt"].get<std::string>(), HasSubstr("Excerpt 10:"));
    EXPECT_THAT(found[1]["explanation"].get<std::string>(), HasSubstr("punctuation"));
    for (const json & line : found) {
        ASSERT_EQ(line["scores"].size(), 2u);
        for (const json & score : line["scores"]) {
            EXPECT_GT(score["value"].get<double>(), 0.9) << line["key"] << score;
            EXPECT_LE(score["low"].get<double>(), score["value"].get<double>());
            EXPECT_NEAR(score["baseline"]["value"].get<double>(), 0.5, 0.15) << line["key"] << score;
            EXPECT_NE(score["baseline"]["explanation_of"], line["key"]);
            EXPECT_EQ(score["n_missing"], 0);
        }
        EXPECT_NEAR(line["abstractness"].get<double>(), 1.1, 1e-9);
        EXPECT_EQ(line["lens"]["top"].size(), 3u);
        ASSERT_EQ(line["excerpts"].size(), 30u); // 10 shown, 10 held out, 10 random
        std::set<int> windows;
        for (const json & excerpt : line["excerpts"]) {
            EXPECT_EQ(excerpt["ids"].size(), excerpt["activations"].size());
            EXPECT_EQ(excerpt["ids"].size(), excerpt["tokens"].size());
            windows.insert(excerpt["window"].get<int>());
        }
        EXPECT_EQ(windows.size(), 30u) << "none has two uses";
    }
    ASSERT_EQ(summary.categories.size(), 2u);
    EXPECT_EQ(summary.categories[0].category, "shared");
    EXPECT_GT(summary.categories[0].scores.at("detection").value, 0.9);
    std::string tokens; // of what is over-represented: many of the ten digits, and none of the other's marks
    for (const auto & [token, z] : summary.categories[0].tokens) {
        tokens += token;
    }
    EXPECT_GE(test::count_digits(tokens), 5u) << tokens;
    EXPECT_EQ(test::count_marks(tokens), 0u) << tokens;
    EXPECT_TRUE(std::filesystem::exists(folder_ / "explanations.json"));
    EXPECT_FALSE(std::filesystem::exists(folder_ / "explanations.jsonl.part"));
}

/// The text of an excerpt as prompts show it without marks.
std::string text_of(const json & excerpt) {
    std::string text;
    for (const json & token : excerpt["tokens"]) {
        text += token.get<std::string>();
    }
    return text;
}

TEST_F(ExplainJobTest, EachAnswerIsProgress) {
    CollectedMessages messages;
    run(test::answer_by_rule, messages);
    EXPECT_THAT(messages.progress, testing::IsSupersetOf({"0 1 more answers", "0 2 more answers", "2 "}));
}

TEST_F(ExplainJobTest, WhatIsScoredIsHeldOutFromExplaining) {
    std::string detection;
    run([&](const ChatRequest & request) {
        const std::string & prompt = request.messages.back().content;
        detection += prompt.find("Does something in the text fit") != std::string::npos ? prompt : "";
        return test::answer_by_rule(request);
    });
    for (const json & line : lines()) {
        for (const json & excerpt : line["excerpts"]) {
            const bool is_shown = excerpt["use"] == "explain";
            EXPECT_EQ(detection.find(text_of(excerpt)) == std::string::npos, is_shown) << excerpt["use"];
        }
        std::string prompt = line["prompt"];
        for (const char * mark : {"<<", ">>"}) {
            for (std::size_t at = prompt.find(mark); at != std::string::npos; at = prompt.find(mark)) {
                prompt.erase(at, 2);
            }
        }
        for (const json & excerpt : line["excerpts"]) {
            EXPECT_EQ(prompt.find(text_of(excerpt)) != std::string::npos, excerpt["use"] == "explain");
        }
    }
}

TEST_F(ExplainJobTest, TheRaterSeesThePhraseAlone) {
    std::vector<std::string> asked;
    run([&](const ChatRequest & request) {
        const std::string & prompt = request.messages.back().content;
        if (prompt.find("Answer with one number") != std::string::npos) {
            asked.push_back(prompt);
        }
        return test::answer_by_rule(request);
    });
    std::vector<std::string> expected;
    for (const json & line : lines()) {
        for (const std::string & form : {explain_prompts().abstractness, explain_prompts().value_relevance}) {
            expected.push_back(fill_question(form, line["explanation"], ""));
        }
    }
    EXPECT_THAT(asked, testing::UnorderedElementsAreArray(expected));
}

TEST_F(ExplainJobTest, AHarvestThatWasStoppedGoesOnToTheSameBytes) {
    run(test::answer_by_rule);
    const std::string expected = read_file(job_.output);
    const std::string harvest = read_file(folder_ / "explanations.harvest");
    for (const char * name : {"explanations.jsonl", "explanations.json", "explanations.harvest"}) {
        std::filesystem::remove(folder_ / name);
    }
    StopAfter stopper("harvest", 100);
    expect_error(ErrorKind::interrupted, {}, [&] { run(test::answer_by_rule, stopper, stopper.source.get_token()); });
    ASSERT_TRUE(std::filesystem::exists(folder_ / "explanations.harvest"));
    EXPECT_NE(read_file(folder_ / "explanations.harvest"), harvest);
    run(test::answer_by_rule);
    EXPECT_EQ(read_file(folder_ / "explanations.harvest"), harvest);
    EXPECT_EQ(read_file(job_.output), expected);
}

TEST_F(ExplainJobTest, WhatWasExplainedBeforeAStopIsNotAskedAgain) {
    run(test::answer_by_rule);
    const std::string expected = read_file(job_.output);
    std::filesystem::remove(job_.output);
    StopAfter stopper("explain", 2);
    expect_error(ErrorKind::interrupted, {}, [&] { run(test::answer_by_rule, stopper, stopper.source.get_token()); });
    EXPECT_FALSE(std::filesystem::exists(job_.output));
    run([&](const ChatRequest & request) {
        EXPECT_EQ(request.max_tokens, 1) << "the explanations are there";
        return test::answer_by_rule(request);
    });
    EXPECT_EQ(read_file(job_.output), expected);
}

// Checkpoints are 20 seconds apart, this harvest takes less: the stop itself leaves one.
TEST_F(ExplainJobTest, WhatWasReadBeforeAStopIsNotReadAgain) {
    options_.harvest.checkpoint_every = 0;
    StopAfter stopper("harvest", 100);
    expect_error(ErrorKind::interrupted, {}, [&] { run(test::answer_by_rule, stopper, stopper.source.get_token()); });
    std::vector<NeuronId> ids;
    for (const ChosenNeuron & neuron : job_.neurons) {
        ids.push_back(neuron.id);
    }
    HarvestCounts counts;
    CollectedMessages messages;
    const Harvester harvested = harvest(job_.subject, job_.scheduler, ids, job_.corpus, options_.harvest,
                                        folder_ / "explanations.harvest", counts, messages, {});
    EXPECT_EQ(harvested.windows(), 400u);
    EXPECT_THAT(messages.texts, testing::ElementsAre(testing::ContainsRegex("goes on after [1-9][0-9]* windows")));
}

TEST_F(ExplainJobTest, AServiceThatFailsLeavesItsReasonAndTheSameCallCompletesTheRest) {
    run(test::answer_by_rule);
    const std::string expected = read_file(job_.output);
    std::filesystem::remove(job_.output);
    int calls = 0;
    expect_error(ErrorKind::judge, {"the server is gone", "2 of 2 poles", "the same command"}, [&] {
        run([&](const ChatRequest & request) {
            if (++calls > 30) {
                throw Error(ErrorKind::judge, "the server is gone");
            }
            return test::answer_by_rule(request);
        });
    });
    const std::vector<json> partly = lines();
    ASSERT_EQ(partly.size(), 2u);
    EXPECT_EQ(partly[0]["explanation"], "digits");
    EXPECT_EQ(partly[1]["scores"][1]["problem"], "the server is gone");
    EXPECT_EQ(partly[1]["rating_problem"], "the server is gone");
    int asked_to_explain = 0;
    run([&](const ChatRequest & request) {
        asked_to_explain += request.max_tokens > 1 ? 1 : 0;
        return test::answer_by_rule(request);
    });
    EXPECT_EQ(asked_to_explain, 0) << "what is there is not asked for again";
    EXPECT_EQ(read_file(job_.output), expected);
}

TEST_F(ExplainJobTest, OtherSettingsBeginAnew) {
    run(test::answer_by_rule);
    options_.examples = 5;
    int explained = 0;
    run([&](const ChatRequest & request) {
        explained += request.max_tokens > 1 ? 1 : 0;
        return test::answer_by_rule(request);
    });
    EXPECT_EQ(explained, 2);
    job_.explainer_settings = "another chat template";
    run([&](const ChatRequest & request) {
        explained += request.max_tokens > 1 ? 1 : 0;
        return test::answer_by_rule(request);
    });
    EXPECT_EQ(explained, 4);
}

// What is not known is no 0 for those who read the file.
TEST_F(ExplainJobTest, ActivationsThatWereNotReadAreNull) {
    std::vector<NeuronId> ids;
    for (const ChosenNeuron & neuron : job_.neurons) {
        ids.push_back(neuron.id);
    }
    Harvester harvester(ids, options_.harvest);
    for (Token token = 60; token < 70; ++token) {
        const std::vector<float> values = {9, 1, static_cast<float>(token), 9, 1, 0};
        harvester.add({{token, token, token}, 1}, values.data(), 3);
    }
    const std::vector<PoleWork> poles = poles_of(harvester, options_.negative);
    write_explanations(job_, harvester, poles, {}, options_);
    ASSERT_EQ(lines().size(), 2u);
    for (const json & line : lines()) {
        EXPECT_GT(line["excerpts"].size(), 2u);
        for (const json & excerpt : line["excerpts"]) {
            const json & activations = excerpt["activations"];
            ASSERT_EQ(activations.size(), 3u);
            EXPECT_TRUE(activations[0].is_null()) << activations;
            EXPECT_EQ(activations[1], 1.0);
            EXPECT_TRUE(activations[2].is_number());
        }
    }
}

TEST_F(ExplainJobTest, APoleThatNothingActivatesIsSaidToBeInactive) {
    options_.negative = true;
    const ExplainSummary summary = run(test::answer_by_rule);
    EXPECT_EQ(summary.n_poles, 4u);
    EXPECT_EQ(summary.n_inactive, 2u) << "silu(x) x is never below zero";
    EXPECT_THAT(lines()[1]["problem"].get<std::string>(), HasSubstr("nothing in the corpus"));
}

/// Expects what the explanation says.
class RuleSimulator : public Simulator {
public:
    std::vector<std::vector<double>> simulate(const std::string & explanation,
                                              std::span<const ReadableExcerpt> excerpts, std::stop_token) override {
        std::vector<std::vector<double>> strengths;
        for (const ReadableExcerpt & excerpt : excerpts) {
            std::vector<double> & row = strengths.emplace_back();
            for (const std::string & piece : excerpt.pieces) {
                const std::size_t n = explanation == "digits" ? test::count_digits(piece) : test::count_marks(piece);
                row.push_back(10.0 * static_cast<double>(n));
            }
        }
        return strengths;
    }
};

TEST_F(ExplainJobTest, SimulatedActivationsAreCorrelatedWithRealOnes) {
    RuleSimulator simulator;
    job_.simulator = &simulator;
    options_.scores = {ScoreKind::simulation};
    run(test::answer_by_rule);
    for (const json & line : lines()) {
        ASSERT_EQ(line["scores"].size(), 1u);
        const json & score = line["scores"][0];
        EXPECT_GT(score["value"].get<double>(), 0.9) << line["key"];
        EXPECT_LT(score["low"].get<double>(), score["high"].get<double>());
        EXPECT_LT(score["baseline"]["value"].get<double>(), 0.3) << line["key"];
    }
}

TEST_F(ExplainJobTest, SimulationNeedsASimulator) {
    options_.scores = {ScoreKind::simulation};
    expect_error(ErrorKind::usage, {"simulation", "local model"}, [&] { run(test::answer_by_rule); });
}

} // namespace
} // namespace valuelens
