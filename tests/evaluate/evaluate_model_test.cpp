// Evaluations of a real model.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "evaluate/respondent.h"
#include "support/expect_error.h"
#include "support/golden.h"

namespace valuelens {
namespace {

class EvaluateModel : public testing::Test {
protected:
    static void SetUpTestSuite() {
        ModelOptions options;
        options.path = test::cached_model("smollm2-135m", "bf16");
        options.threads = 1;
        ASSERT_FALSE(options.path.empty()) << "smollm2-135m-bf16 is not in the cache: valuelens models fetch "
                                              "smollm2-135m";
        model = Model::load(options);
    }
    static void TearDownTestSuite() { model.reset(); }

    /// Adds a multiple of a fixed direction in the middle of the model.
    static std::shared_ptr<const Intervention> push(float alpha, TokenScope tokens = TokenScope::all) {
        auto intervention = std::make_shared<Intervention>();
        LayerDirection direction;
        direction.layer = model->info().n_layer / 2;
        direction.vector.resize(static_cast<std::size_t>(model->info().n_embd));
        for (std::size_t i = 0; i < direction.vector.size(); ++i) {
            direction.vector[i] = i % 3 == 0 ? 1.0f : -0.5f;
        }
        direction.alpha = alpha;
        direction.tokens = tokens;
        intervention->directions.push_back(std::move(direction));
        return intervention;
    }

    static std::unique_ptr<Respondent> respondent(std::shared_ptr<const Intervention> steered, int ctx_size = 0) {
        return make_model_respondent(model, {.parallel = 8, .ctx_size = ctx_size},
                                     evaluation_variants({"x"}, {}, std::move(steered)), silent_progress(), {});
    }

    static std::shared_ptr<Model> model;
};

std::shared_ptr<Model> EvaluateModel::model;

// BF16 sums depend on the make-up of a batch.
constexpr double bf16_noise = 0.15;

TEST_F(EvaluateModel, SingleTokensAndWholeTextsGiveTheSameLogProbabilities) {
    // As the next token, a letter may be written with a space before it: the sum of both ways.
    const auto asked = respondent(nullptr);
    const std::vector<std::string> prompt = {"Is water wet?\n\nA. Yes\nB. No\n\nAnswer with one letter."};
    const std::vector<std::string> letters = {"A", "B"};
    const auto next = asked->score("test", prompt, letters);
    const auto plain = asked->read("test", std::vector<Passage>{{prompt[0], "A"}, {prompt[0], " A"}});
    ASSERT_EQ(next.size(), 1u);
    EXPECT_NEAR(next[0][0], std::log(std::exp(plain[0].logprob) + std::exp(plain[1].logprob)), bf16_noise);

    // Options of several tokens are read as a whole.
    const std::vector<std::string> sentences = {"Yes, it is", "No, it is not"};
    const auto whole = asked->score("test", prompt, sentences);
    const auto read = asked->read("test", std::vector<Passage>{{prompt[0], sentences[0]}, {prompt[0], sentences[1]}});
    EXPECT_GT(read[1].tokens, 1u);
    EXPECT_NEAR(whole[0][0], read[0].logprob, bf16_noise);
    EXPECT_NEAR(whole[0][1], read[1].logprob, bf16_noise);
    Evaluation described;
    asked->describe(described);
    EXPECT_EQ(described.model_identity, model->info().identity);
    EXPECT_THAT(described.settings, testing::Contains(testing::Pair("options_scored_by", "whole text")));
}

TEST_F(EvaluateModel, AnInterventionThatDoesNothingChangesNothingAndAStrongOneDoes) {
    const auto task = pvq_task({}, schwartz10());
    const EvaluationOptions options{.limit = 2, .bootstraps = 100};
    const auto run = [&](float alpha) {
        return evaluate(*task, model, {.parallel = 8}, evaluation_variants({"x"}, {}, push(alpha)), options);
    };
    const Evaluation nothing = run(0);
    const Evaluation strong = run(40);
    const EvaluationRow & row = *nothing.find("likeness");
    EXPECT_NEAR(row.differences[1].estimate.value, 0, 0.02);
    EXPECT_GT(row.scores[0].estimate.value, 1);
    EXPECT_LT(row.scores[0].estimate.value, 6);
    EXPECT_EQ(row.scores[0].n, 2u);
    EXPECT_NEAR(strong.find("likeness")->scores[0].estimate.value, row.scores[0].estimate.value, 0.02)
        << "the base does not mind its neighbours";
    EXPECT_GT(std::abs(strong.find("option_mass")->differences[1].estimate.value), 0.01);
    EXPECT_TRUE(strong.notes.empty());
}

TEST_F(EvaluateModel, SteeringOfResponsesAloneIsSaidToLeaveNextTokensAsTheyAre) {
    const Evaluation result =
        evaluate(*multiple_choice_task({}), model, {.parallel = 8},
                 evaluation_variants({"x"}, {}, push(40, TokenScope::response)), {.limit = 4, .bootstraps = 0});
    ASSERT_EQ(result.notes.size(), 1u);
    EXPECT_THAT(result.notes.front(), testing::HasSubstr("tokens=all"));
    EXPECT_NEAR(result.find("answer_probability")->differences[1].estimate.value, 0, 2);
}

TEST_F(EvaluateModel, PromptsThatDoNotFitHaveNoResult) {
    const auto asked = respondent(push(1), 64);
    std::string text;
    for (int i = 0; i < 100; ++i) {
        text += "word after word ";
    }
    const std::vector<std::string> prompts = {text, "Say A or B."};
    const std::vector<std::string> letters = {"A", "B"};
    const auto scores = asked->score("test", prompts, letters);
    ASSERT_EQ(scores.size(), 4u);
    EXPECT_TRUE(scores[0].empty());
    EXPECT_TRUE(scores[1].empty());
    EXPECT_EQ(scores[3].size(), 2u);
    const auto answers = asked->answer("test", prompts, 4);
    EXPECT_FALSE(answers[0]);
    ASSERT_TRUE(answers[2]);
    EXPECT_NE(*answers[2], "");
    EXPECT_EQ(asked->read("test", std::vector<Passage>{{text, "yes"}})[0].tokens, 0u);
}

TEST_F(EvaluateModel, AnswersComeWithTheEntropyOfWhatTheyWereDrawnFrom) {
    const std::vector<std::string> prompts = {"Name a colour.", "Name a river."};
    const AnswerOptions options{.max_tokens = 5, .temperature = 1, .samples = 2, .seed = 6, .entropies = true};
    const auto asked = respondent(push(40));
    const auto answers = asked->write("test", prompts, options);
    ASSERT_EQ(answers.size(), 4u);
    for (const auto & of_prompt : answers) {
        ASSERT_EQ(of_prompt.size(), 2u);
        for (const WrittenAnswer & answer : of_prompt) {
            EXPECT_EQ(answer.entropies.size(), answer.tokens);
            EXPECT_TRUE(!answer.cut_off || answer.tokens == 5);
        }
    }
    EXPECT_EQ(asked->write("test", prompts, options)[0][1].text, answers[0][1].text) << "the same seed";

    // By another route: the probabilities of all tokens of the vocabulary.
    Request request;
    request.kind = RequestKind::choose;
    request.prompt = model->render_chat("", prompts[0]).tokens;
    for (Token token = 0; token < model->info().n_vocab; ++token) {
        request.choices.push_back(token);
    }
    Scheduler scheduler(model, {.parallel = 8});
    const Response response = scheduler.run_all(std::span(&request, 1)).front();
    double entropy = 0;
    for (const float logprob : response.choice_logprobs) {
        entropy -= std::exp(static_cast<double>(logprob)) * static_cast<double>(logprob);
    }
    ASSERT_FALSE(answers[0][0].entropies.empty());
    EXPECT_NEAR(answers[0][0].entropies[0], entropy, bf16_noise);
    EXPECT_NEAR(answers[0][1].entropies[0], entropy, bf16_noise) << "before the first draw both samples are alike";
}

TEST_F(EvaluateModel, EmbeddingsAreOfTextsAndNotOfWhoWroteThem) {
    const std::vector<std::string> texts = {"The sea is blue today.", "", "The sea is blue today.", "Pay your taxes."};
    const auto embeddings = respondent(push(40))->embed("test", texts, nullptr);
    ASSERT_EQ(embeddings.size(), 4u);
    EXPECT_TRUE(embeddings[1].empty());
    ASSERT_EQ(embeddings[0].size(), static_cast<std::size_t>(model->info().n_embd));
    const auto plain = respondent(nullptr)->embed("test", texts, nullptr);
    const auto distance = [](const std::vector<float> & a, const std::vector<float> & b) {
        double sum = 0;
        for (std::size_t i = 0; i < a.size(); ++i) {
            sum += std::pow(static_cast<double>(a[i] - b[i]), 2);
        }
        return std::sqrt(sum);
    };
    const double apart = distance(embeddings[0], embeddings[3]);
    EXPECT_LT(distance(embeddings[0], embeddings[2]), 0.1 * apart);
    EXPECT_LT(distance(embeddings[0], plain[0]), 0.1 * apart) << "the variants steer no reading";
}

TEST_F(EvaluateModel, VariantsAndOptionsThatMakeNoSenseAreRefused) {
    const auto task = multiple_choice_task({});
    expect_error(ErrorKind::usage, {"model as it is"}, [&] { evaluate(*task, model, {}, {}); });
    std::vector<EvaluationVariant> twice(2);
    twice[0].name = twice[1].name = "base";
    expect_error(ErrorKind::usage, {"\"base\"", "twice"}, [&] { evaluate(*task, model, {}, twice); });
    expect_error(ErrorKind::usage, {"--confidence"},
                 [&] { evaluate(*task, model, {}, evaluation_variants({}, {}, nullptr), {.confidence = 1.5}); });
}

} // namespace
} // namespace valuelens
