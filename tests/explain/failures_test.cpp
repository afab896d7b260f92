// What becomes of explanations, scores and ratings when whoever gives them is down, talks nonsense, says nothing, or
// finds the question too long: the reason is recorded, the rest goes on, and the same call completes what is missing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "explain/planted_job.h"
#include "support/expect_error.h"
#include "valuelens/error.h"

namespace valuelens {
namespace {

using nlohmann::json;
using test::answered;
using test::failed;
using testing::HasSubstr;

struct Trouble {
    const char * name;
    std::function<ChatOutcome()> answer;
    const char * reason; ///< what the record says
    int times = 1;       ///< how often such a question is asked in one call
    bool down = false;   ///< it ends the service
};

void PrintTo(const Trouble & trouble, std::ostream * out) {
    *out << trouble.name;
}

ChatOutcome cut_off() {
    ChatOutcome outcome = answered("tokens that stand for a number and also those which");
    outcome.reply.finish_reason = "length";
    return outcome;
}

const Trouble down = {"Down", []() -> ChatOutcome { throw Error(ErrorKind::judge, "the server is gone"); },
                      "the server is gone", 1, true};

/// What can go wrong with any question. The service itself has tried again what is rejected or unusable, if that can
/// help.
const Trouble any_question[] = {
    {"Empty", [] { return answered(""); }, "the answer was ", 3},
    {"QuestionTooLong", [] { return failed(ChatStatus::rejected, "HTTP 413: too long"); }, "HTTP 413: too long"},
    {"NoCompletion", [] { return failed(ChatStatus::unusable, "is no JSON"); }, "is no JSON"},
};

class ExplainFailures : public test::PlantedJob, public testing::WithParamInterface<Trouble> {
protected:
    using Concerns = std::function<bool(const ChatRequest &)>;

    void SetUp() override {
        PlantedJob::SetUp();
        run(test::answer_by_rule);
        expected_ = read_file(job_.output);
        expected_about_ = read_file(folder_ / "explanations.json");
        std::filesystem::remove(job_.output);
    }

    /// A call in which each question that is concerned meets the trouble.
    ExplainSummary run_with_trouble(const Concerns & concerns) {
        ExplainSummary summary;
        const auto call = [&] {
            summary = run([&](const ChatRequest & request) {
                if (!concerns(request)) {
                    return test::answer_by_rule(request);
                }
                ++asked_[request.messages.back().content];
                return GetParam().answer();
            });
        };
        if (GetParam().down) {
            expect_error(ErrorKind::judge, {"the server is gone", "explanations.jsonl", "the same command goes on"},
                         call);
        } else {
            call();
        }
        EXPECT_FALSE(asked_.empty());
        for (const auto & [prompt, times] : asked_) {
            EXPECT_EQ(times, GetParam().times) << prompt;
        }
        return summary;
    }

    void expect_completed() {
        run(test::answer_by_rule);
        EXPECT_EQ(read_file(job_.output), expected_);
        EXPECT_EQ(read_file(folder_ / "explanations.json"), expected_about_);
    }

    static void expect_reason(const json & problem) {
        ASSERT_TRUE(problem.is_string()) << problem;
        EXPECT_THAT(problem.get<std::string>(), HasSubstr(GetParam().reason));
    }

    std::string expected_;
    std::string expected_about_;
    std::map<std::string, int> asked_;
};

std::string name_of(const testing::TestParamInfo<Trouble> & info) {
    return info.param.name;
}

bool asks_for_phrase(const ChatRequest & request) {
    return request.max_tokens > 1;
}

bool is_rating(const ChatRequest & request) {
    const std::string & prompt = request.messages.back().content;
    return prompt.find("How abstract") != std::string::npos || prompt.find("How much") != std::string::npos;
}

class ExplainerFailures : public ExplainFailures {};

TEST_P(ExplainerFailures, AreRecordedAndTheRestGoesOn) {
    const ExplainSummary summary = run_with_trouble([](const ChatRequest & request) {
        return asks_for_phrase(request) &&
               test::answer_by_rule(request).reply.content.find("punctuation") != std::string::npos;
    });
    const std::vector<json> found = lines();
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[1]["explanation"], nullptr);
    expect_reason(found[1]["problem"]);
    EXPECT_EQ(found[1]["scores"].size(), 0u);
    EXPECT_THAT(found[1]["prompt"].get<std::string>(), HasSubstr("Excerpt 1:"))
        << "what was asked is stored all the same";
    if (!GetParam().down) {
        EXPECT_EQ(summary.n_explained, 1u);
        EXPECT_EQ(summary.n_failed, 1u);
        EXPECT_THAT(summary.failures.begin()->first, HasSubstr(GetParam().reason));
        EXPECT_EQ(found[0]["explanation"], "digits");
        EXPECT_GT(found[0]["scores"][0]["value"].get<double>(), 0.9);
        EXPECT_EQ(found[0]["scores"][0]["baseline"], nullptr) << "there is no other explanation";
    }
    expect_completed();
}

INSTANTIATE_TEST_SUITE_P(ForGood, ExplainerFailures, testing::Values(down), name_of);
INSTANTIATE_TEST_SUITE_P(AnyQuestion, ExplainerFailures, testing::ValuesIn(any_question), name_of);
INSTANTIATE_TEST_SUITE_P(
    OfAPhrase, ExplainerFailures,
    testing::Values(Trouble{"Nonsense", [] { return answered("12 34"); }, "the answer holds no word", 3},
                    Trouble{"AnswerTooLong", [] { return answered(std::string(300, 'a')); }, "no phrase but longer", 3},
                    Trouble{"AnswerCutOff", cut_off, "no phrase but longer", 3}),
    name_of);

class ScorerFailures : public ExplainFailures {};

// The wrong marks of one explanation also make the baseline of the other neuron's.
TEST_P(ScorerFailures, AreRecordedAndTheRestGoesOn) {
    const ExplainSummary summary = run_with_trouble([](const ChatRequest & request) {
        const std::string & prompt = request.messages.back().content;
        return prompt.starts_with("Description: punctuation") && prompt.find("marked with") != std::string::npos;
    });
    const std::vector<json> found = lines();
    ASSERT_EQ(found.size(), 2u);
    const json & failed_score = found[1]["scores"][1];
    EXPECT_EQ(failed_score["score"], "fuzzing");
    EXPECT_EQ(failed_score["value"], nullptr);
    expect_reason(failed_score["problem"]);
    if (!GetParam().down) {
        EXPECT_EQ(failed_score["n_missing"], 20);
        EXPECT_EQ(summary.n_unscored, 1u);
        EXPECT_EQ(summary.failures.size(), 2u);
        EXPECT_GT(found[1]["scores"][0]["value"].get<double>(), 0.9) << "detection";
        const json & other = found[0]["scores"][1];
        EXPECT_GT(other["value"].get<double>(), 0.9);
        EXPECT_EQ(other["n_missing"], 0);
        EXPECT_EQ(other["baseline"]["value"], nullptr);
        expect_reason(other["missing_reason"]);
    }
    expect_completed();
}

class ScorerSlips : public ExplainFailures {};

TEST_P(ScorerSlips, LeaveTheScoreOfTheOtherAnswers) {
    std::string first;
    const ExplainSummary summary = run_with_trouble([&](const ChatRequest & request) {
        const std::string & prompt = request.messages.back().content;
        if (first.empty() && prompt.starts_with("Description: digits") && !is_rating(request)) {
            first = prompt;
        }
        return prompt == first;
    });
    EXPECT_EQ(summary.n_unscored, 0u);
    ASSERT_EQ(summary.failures.size(), 1u);
    EXPECT_THAT(summary.failures.begin()->first, HasSubstr("some answers: "));
    EXPECT_THAT(summary.failures.begin()->first, HasSubstr(GetParam().reason));
    expect_completed();
}

TEST_P(ScorerFailures, OfRatingsAreRecordedAndTheRestGoesOn) {
    const ExplainSummary summary = run_with_trouble([](const ChatRequest & request) {
        return is_rating(request) && request.messages.back().content.find("punctuation") != std::string::npos;
    });
    const std::vector<json> found = lines();
    EXPECT_EQ(found[1]["abstractness"], nullptr);
    expect_reason(found[1]["rating_problem"]);
    if (!GetParam().down) {
        EXPECT_EQ(found[0]["rating_problem"], nullptr);
        EXPECT_NEAR(found[0]["abstractness"].get<double>(), 1.1, 1e-9);
        EXPECT_EQ(summary.failures.size(), 1u);
    }
    expect_completed();
}

const Trouble a_word[] = {
    {"Nonsense", [] { return answered("perhaps"); }, "the answer was n", 3}, // neither yes nor no; no number
    {"AnswerTooLong", cut_off, "the answer was n", 3},
};
INSTANTIATE_TEST_SUITE_P(ForGood, ScorerFailures, testing::Values(down), name_of);
INSTANTIATE_TEST_SUITE_P(AnyQuestion, ScorerFailures, testing::ValuesIn(any_question), name_of);
INSTANTIATE_TEST_SUITE_P(OfAWord, ScorerFailures, testing::ValuesIn(a_word), name_of);
INSTANTIATE_TEST_SUITE_P(AnyQuestion, ScorerSlips, testing::ValuesIn(any_question), name_of);
INSTANTIATE_TEST_SUITE_P(OfAWord, ScorerSlips, testing::ValuesIn(a_word), name_of);

/// Cannot read the excerpts with one of the explanations.
class ShortSighted : public Simulator {
public:
    std::vector<std::vector<double>> simulate(const std::string & explanation,
                                              std::span<const ReadableExcerpt> excerpts, std::stop_token) override {
        if (is_blind && explanation != "digits") {
            throw Error(ErrorKind::model, "a text of 99 tokens does not fit the context");
        }
        std::vector<std::vector<double>> strengths;
        for (const ReadableExcerpt & excerpt : excerpts) {
            std::vector<double> & row = strengths.emplace_back();
            for (const std::string & piece : excerpt.pieces) {
                row.push_back(static_cast<double>(test::count_digits(piece)));
            }
        }
        return strengths;
    }
    bool is_blind = true;
};

class SimulatorFailures : public test::PlantedJob {};

TEST_F(SimulatorFailures, AreRecordedAndTheRestGoesOn) {
    ShortSighted simulator;
    job_.simulator = &simulator;
    options_.scores = {ScoreKind::simulation};
    const ExplainSummary summary = run(test::answer_by_rule);
    EXPECT_EQ(summary.n_unscored, 1u);
    const std::vector<json> found = lines();
    EXPECT_GT(found[0]["scores"][0]["value"].get<double>(), 0.9);
    EXPECT_EQ(found[0]["scores"][0]["missing_reason"], "a text of 99 tokens does not fit the context");
    EXPECT_EQ(found[1]["scores"][0]["problem"], "a text of 99 tokens does not fit the context");
    EXPECT_EQ(found[1]["scores"][0]["value"], nullptr);
    simulator.is_blind = false;
    const ExplainSummary again = run(test::answer_by_rule);
    EXPECT_EQ(again.n_unscored, 0u);
    EXPECT_TRUE(again.failures.empty());
    EXPECT_TRUE(lines()[0]["scores"][0]["baseline"]["value"].is_number());
}

} // namespace
} // namespace valuelens
