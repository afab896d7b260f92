// The whole way from a corpus to scored explanations, with neurons that were planted in a tiny model.

#include "explain/job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/random.h"
#include "explain/planted_model.h"
#include "explain/rule_service.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"

namespace valuelens {
namespace {

using nlohmann::json;
using test::FakeService;
using testing::HasSubstr;

/// Stops the work once so many tokens are harvested.
class StopAfter : public ProgressSink {
public:
    explicit StopAfter(std::uint64_t tokens) : tokens_(tokens) {}
    void start(std::string_view stage, std::uint64_t, std::string_view) override { stage_ = stage; }
    void advance(std::uint64_t done, std::string_view) override {
        if (stage_ == "harvest" && done >= tokens_) {
            source.request_stop();
        }
    }
    std::stop_source source;

private:
    std::uint64_t tokens_;
    std::string stage_;
};

class ExplainJobTest : public testing::Test {
protected:
    void SetUp() override {
        Rng rng(11);
        std::string corpus;
        for (int i = 0; i < 400; ++i) {
            std::string text;
            for (int k = 0; k < 40; ++k) {
                text += static_cast<char>(rng.below(6) == 0 ? ' ' : 'a' + static_cast<char>(rng.below(26)));
            }
            // Of either kind hardly more than the top excerpts, so that random ones have none.
            const char * set = i % 18 == 5 ? "0123456789" : i % 18 == 11 ? "!?!?!?!?!?" : nullptr;
            for (int k = 0; set != nullptr && k < 2; ++k) {
                text[rng.below(40)] = set[rng.below(10)];
            }
            corpus += json({{"text", text}}).dump() + "\n";
        }
        write_file(folder_ / "corpus.jsonl", corpus);
        job_.subject = Model::load({.path = test::write_planted_model(folder_ / "m.gguf"), .threads = 1});
        job_.neurons = {{{0, -1, test::digit_neuron}, {{"care", "shared", 2}, {"power", "shared", 1}}},
                        {{0, -1, test::mark_neuron}, {{"care", "intrinsic", 3}}}};
        job_.corpus.files = {folder_ / "corpus.jsonl"};
        job_.explainer = "a rule";
        job_.output = folder_ / "explanations.jsonl";
        options_.negative = false;
        options_.lens_tokens = 3;
        options_.bootstraps = 50;
        options_.harvest.checkpoint_every = 1;
    }

    ExplainSummary run(FakeService::Answer answer, ProgressSink & progress = silent_progress(),
                       std::stop_token stop = {}) {
        FakeService service(std::move(answer));
        job_.service = &service;
        return run_explain(job_, options_, progress, std::move(stop));
    }

    std::vector<json> lines() const {
        std::vector<json> all;
        for_each_line(job_.output, [&](std::string_view line, std::size_t) { all.push_back(json::parse(line)); });
        return all;
    }

    TempFolder folder_;
    ExplainJob job_;
    ExplainOptions options_;
};

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
        for (const json & excerpt : line["excerpts"]) {
            EXPECT_EQ(excerpt["ids"].size(), excerpt["activations"].size());
            EXPECT_EQ(excerpt["ids"].size(), excerpt["tokens"].size());
        }
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

TEST_F(ExplainJobTest, AHarvestThatWasStoppedGoesOnToTheSameBytes) {
    run(test::answer_by_rule);
    const std::string expected = read_file(job_.output);
    const std::string harvest = read_file(folder_ / "explanations.harvest");
    for (const char * name : {"explanations.jsonl", "explanations.json", "explanations.harvest"}) {
        std::filesystem::remove(folder_ / name);
    }
    StopAfter stopper(5000);
    expect_error(ErrorKind::interrupted, {}, [&] { run(test::answer_by_rule, stopper, stopper.source.get_token()); });
    ASSERT_TRUE(std::filesystem::exists(folder_ / "explanations.harvest"));
    EXPECT_NE(read_file(folder_ / "explanations.harvest"), harvest);
    run(test::answer_by_rule);
    EXPECT_EQ(read_file(folder_ / "explanations.harvest"), harvest);
    EXPECT_EQ(read_file(job_.output), expected);
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

TEST_F(ExplainJobTest, NonsenseIsRecordedAndTheRestGoesOn) {
    const auto nonsense_about_marks = [](const ChatRequest & request) {
        ChatOutcome outcome = test::answer_by_rule(request);
        if (outcome.reply.content.starts_with("punctuation")) {
            outcome.reply.content = "12 34";
        }
        return outcome;
    };
    const ExplainSummary summary = run(nonsense_about_marks);
    EXPECT_EQ(summary.n_explained, 1u);
    EXPECT_EQ(summary.n_failed, 1u);
    EXPECT_EQ(summary.failures.begin()->first, "explain: the answer holds no word");
    const std::vector<json> found = lines();
    EXPECT_EQ(found[1]["explanation"], nullptr);
    EXPECT_EQ(found[1]["problem"], "the answer holds no word");
    EXPECT_EQ(found[1]["scores"].size(), 0u);
    EXPECT_GT(found[0]["scores"][0]["value"].get<double>(), 0.9);
    EXPECT_EQ(found[0]["scores"][0]["baseline"], nullptr) << "there is no other explanation";
    EXPECT_EQ(run(test::answer_by_rule).n_explained, 2u);
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
