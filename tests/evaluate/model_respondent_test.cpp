// What a model's log-probabilities are read into, on a model of random weights.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "evaluate/option_scores.h"
#include "evaluate/respondent.h"
#include "support/temp_folder.h"
#include "support/tiny_embedding_model.h"
#include "support/tiny_language_model.h"

namespace valuelens {
namespace {

using test::TinyLanguageModel;

class ModelRespondentTest : public testing::Test {
protected:
    std::unique_ptr<Respondent> respondent(const TinyLanguageModel & model, int ctx_size = 0) {
        auto loaded = Model::load({.path = model.write(folder_ / "m.gguf"), .threads = 1});
        return make_model_respondent(std::move(loaded), {.parallel = 4, .ctx_size = ctx_size},
                                     evaluation_variants({}, {}, nullptr), silent_progress(), {});
    }

    /// Options of several bytes, so that their whole texts are read.
    std::vector<std::string> texts_ = {"yes", "no"};
    TempFolder folder_;
};

TEST_F(ModelRespondentTest, APromptThatDoesNotFitHasNoScores) {
    const auto asked = respondent(TinyLanguageModel::dense(), 64);
    const std::vector<std::string> prompts = {"Short?", std::string(200, 'x') + "?"};
    const auto scores = asked->score("test", prompts, texts_);
    ASSERT_EQ(scores[0].size(), 2u);
    EXPECT_TRUE(all_finite(scores[0]));
    EXPECT_TRUE(scores[1].empty());
}

TEST_F(ModelRespondentTest, TextsAreEmbeddedByItsOwnStatesOrByAnotherModel) {
    const auto asked = respondent(TinyLanguageModel::dense());
    const std::vector<std::string> texts = {"sea is blue", "sky"};
    const auto own = asked->embed("test", texts, nullptr);
    EXPECT_EQ(own[0].size(), TinyLanguageModel::n_embd);
    const auto settings = [&] {
        Evaluation evaluation;
        asked->describe(evaluation);
        return evaluation.settings;
    };
    EXPECT_THAT(settings(), testing::Contains(testing::Pair("embedding", testing::HasSubstr("block 1"))));

    const test::TinyEmbeddingModel weights(test::TinyEmbeddingModel::cls);
    const auto other = EmbeddingModel::load({.path = weights.write(folder_ / "e.gguf"), .threads = 1});
    const auto embeddings = asked->embed("test", texts, other.get());
    ASSERT_EQ(embeddings[1].size(), test::TinyEmbeddingModel::n_embd);
    const auto wanted = weights
                            .states({test::TinyEmbeddingModel::cls_token, test::TinyEmbeddingModel::first_word + 1,
                                     test::TinyEmbeddingModel::sep_token})
                            .front();
    EXPECT_NEAR(embeddings[1][0], wanted[0], 1e-4);
    EXPECT_THAT(settings(), testing::Contains(testing::Pair("embedding", "tiny bert, pooling: cls")));
    EXPECT_THAT(settings(), testing::Contains(testing::Pair("embedding_identity", other->info().identity)));
}

TEST_F(ModelRespondentTest, LogitsThatAreNoNumbersAreNotTakenForAPromptThatDoesNotFit) {
    TinyLanguageModel broken = TinyLanguageModel::dense();
    std::vector<float> & output = broken.tensor("output.weight").values;
    constexpr std::size_t token = 3 + 'z'; // bytes follow unknown, begin and end
    output[token * TinyLanguageModel::n_embd] = std::numeric_limits<float>::quiet_NaN();
    const auto asked = respondent(broken);
    for (const std::vector<std::string> & options : {texts_, std::vector<std::string>{"A", "B"}}) {
        const auto scores = asked->score("test", std::vector<std::string>{"Short?"}, options);
        ASSERT_EQ(scores[0].size(), 2u) << options[0];
        EXPECT_FALSE(all_finite(scores[0])) << options[0];
    }
}

} // namespace
} // namespace valuelens
