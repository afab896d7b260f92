// A local judge and drawn answers, on a model of random weights.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "evaluate/rater.h"
#include "evaluate/respondent.h"
#include "support/temp_folder.h"
#include "support/tiny_language_model.h"

namespace valuelens {
namespace {

using test::TinyLanguageModel;

class LocalRaterTest : public testing::Test {
protected:
    std::unique_ptr<Respondent> respondent(std::vector<EvaluationVariant> variants, int ctx_size = 0) const {
        return make_model_respondent(model_, {.parallel = 4, .ctx_size = ctx_size}, std::move(variants),
                                     silent_progress(), {});
    }

    TempFolder folder_;
    std::shared_ptr<Model> model_ =
        Model::load({.path = TinyLanguageModel::dense().write(folder_ / "m.gguf"), .threads = 1});
};

TEST_F(LocalRaterTest, AnAnswersProbabilityIsThatOfItsTextWithoutLongerAnswers) {
    const std::unique_ptr<Rater> judge = make_local_rater(model_, {.parallel = 4}, silent_progress(), {});
    const std::vector<std::string> questions = {"How good is it?", "And how bad is that one?"};
    const std::vector<Verdict> verdicts = judge->ask("judge", questions, rating_answers());
    ASSERT_EQ(verdicts.size(), 2u);
    EXPECT_TRUE(judge->offers_probabilities());

    // The same by reading each answer as a reply: this tokenizer writes 10 as 1 and 0.
    const auto asked = respondent(evaluation_variants({}, {}, nullptr));
    for (std::size_t question = 0; question < questions.size(); ++question) {
        std::vector<Passage> passages;
        for (const std::string & answer : rating_answers()) {
            passages.push_back({questions[question], answer});
        }
        const std::vector<PassageScore> read = asked->read("test", passages);
        EXPECT_EQ(read[10].tokens, 2u);
        std::vector<double> expected;
        for (const PassageScore & score : read) {
            expected.push_back(std::exp(score.logprob));
        }
        expected[1] -= expected[10];
        const double mass = std::accumulate(expected.begin(), expected.end(), 0.0);
        EXPECT_NEAR(verdicts[question].mass, mass, 1e-5 * mass);
        double rating = 0;
        for (std::size_t i = 0; i < expected.size(); ++i) {
            EXPECT_NEAR(verdicts[question].probabilities[i], expected[i] / mass, 1e-5);
            rating += static_cast<double>(i) * expected[i] / mass;
        }
        EXPECT_NEAR(expected_rating(verdicts[question]), rating, 1e-4);
    }
}

TEST_F(LocalRaterTest, AQuestionThatDoesNotFitHasNoVerdict) {
    const std::unique_ptr<Rater> judge =
        make_local_rater(model_, {.parallel = 2, .ctx_size = 64}, silent_progress(), {});
    const std::vector<std::string> questions = {"Short?", std::string(200, 'x') + "?"};
    const std::vector<Verdict> verdicts = judge->ask("judge", questions, std::vector<std::string>{"A", "B"});
    EXPECT_TRUE(verdicts[0].given());
    EXPECT_EQ(verdicts[1].problem, NoVerdict::too_long);
    EXPECT_TRUE(judge->ask("judge", {}, rating_answers()).empty());
}

TEST_F(LocalRaterTest, DrawnAnswersDependOnSeedPromptAndPlaceAlone) {
    std::vector<EvaluationVariant> twice = evaluation_variants({}, {}, nullptr);
    twice.push_back({"again", {}, {}, nullptr});
    const auto asked = respondent(twice);
    const auto texts = [](Respondent & from, std::span<const std::string> prompts, std::size_t count,
                          std::uint64_t seed) {
        AnswerOptions how;
        how.max_tokens = 12;
        how.temperature = 1;
        how.samples = count;
        how.seed = seed;
        std::vector<std::vector<std::string>> all;
        for (const std::vector<WrittenAnswer> & answers : from.write("test", prompts, how)) {
            std::vector<std::string> & of_one = all.emplace_back();
            for (const WrittenAnswer & answer : answers) {
                of_one.push_back(answer.text);
            }
        }
        return all;
    };
    const std::vector<std::string> prompts = {"One?", "Two, longer?"};
    const auto drawn = texts(*asked, prompts, 3, 5);
    ASSERT_EQ(drawn.size(), 4u);
    ASSERT_EQ(drawn[0].size(), 3u);
    EXPECT_EQ(drawn[0], drawn[1]) << "both variants draw with the same numbers";
    EXPECT_NE(drawn[0][0], drawn[0][1]);
    EXPECT_EQ(texts(*asked, std::span(prompts).subspan(1), 2, 5)[0],
              (std::vector<std::string>{drawn[2][0], drawn[2][1]}));
    EXPECT_NE(texts(*asked, prompts, 3, 6)[0], drawn[0]);

    const auto tight = respondent(evaluation_variants({}, {}, nullptr), 24);
    EXPECT_TRUE(texts(*tight, std::vector<std::string>{std::string(60, 'x')}, 2, 5)[0].empty());
}

} // namespace
} // namespace valuelens
