// Texts as vectors: an encoder whose states are known, and a causal model of random weights.

#include <gtest/gtest.h>

#include <cmath>

#include "support/expect_error.h"
#include "support/temp_folder.h"
#include "support/tiny_embedding_model.h"
#include "support/tiny_language_model.h"
#include "valuelens/embedding_model.h"

namespace valuelens {
namespace {

using test::TinyEmbeddingModel;
using test::TinyLanguageModel;

class EmbeddingModelTest : public testing::Test {
protected:
    std::shared_ptr<EmbeddingModel> encoder(std::uint32_t pooling, std::size_t context = 12) const {
        const TinyEmbeddingModel weights(pooling, context);
        return EmbeddingModel::load({.path = weights.write(folder_ / "e.gguf"), .threads = 1});
    }

    /// So many times "sea": two tokens more, the first and the last.
    static std::string seas(std::size_t count) {
        std::string text = "sea";
        while (--count > 0) {
            text += " sea";
        }
        return text;
    }

    static void expect_near(const std::vector<float> & found, const std::vector<double> & wanted, double tolerance) {
        ASSERT_EQ(found.size(), wanted.size());
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            EXPECT_NEAR(found[i], wanted[i], tolerance) << i;
        }
    }

    static std::vector<double> mean_of(const std::vector<std::vector<double>> & states) {
        std::vector<double> mean(states.front().size());
        for (const std::vector<double> & state : states) {
            for (std::size_t i = 0; i < mean.size(); ++i) {
                mean[i] += state[i] / static_cast<double>(states.size());
            }
        }
        return mean;
    }

    TempFolder folder_;
    // "sea is blue" and "sky" as the encoder reads them.
    std::vector<std::int32_t> sea_ = {TinyEmbeddingModel::cls_token, 5, 7, 8, TinyEmbeddingModel::sep_token};
    std::vector<std::int32_t> sky_ = {TinyEmbeddingModel::cls_token, 6, TinyEmbeddingModel::sep_token};
};

TEST_F(EmbeddingModelTest, AnEncoderPoolsItsStatesAsItsFileSays) {
    const std::vector<std::string> texts = {"sea is blue", "sky"};
    const TinyEmbeddingModel weights(TinyEmbeddingModel::mean);
    const auto sea = weights.states(sea_);
    const auto sky = weights.states(sky_);

    const auto by_mean = encoder(TinyEmbeddingModel::mean);
    EXPECT_EQ(by_mean->pooling(), "mean");
    EXPECT_EQ(by_mean->info().name, "tiny bert");
    EXPECT_EQ(by_mean->info().identity.size(), 64u);
    const auto means = by_mean->embed("test", texts);
    expect_near(means[0], mean_of(sea), 1e-4);
    expect_near(means[1], mean_of(sky), 1e-4);

    const auto by_cls = encoder(TinyEmbeddingModel::cls);
    EXPECT_EQ(by_cls->pooling(), "cls");
    const auto firsts = by_cls->embed("test", texts);
    expect_near(firsts[0], sea.front(), 1e-4);
    expect_near(firsts[1], sky.front(), 1e-4);

    const auto by_last = encoder(TinyEmbeddingModel::last);
    EXPECT_EQ(by_last->pooling(), "last");
    const auto lasts = by_last->embed("test", texts);
    expect_near(lasts[0], sea.back(), 1e-4);
    expect_near(lasts[1], sky.back(), 1e-4);
}

TEST_F(EmbeddingModelTest, TextsThatDoNotFitOrAreEmptyHaveNoVector) {
    const std::vector<std::string> texts = {seas(11), "", seas(10), "sea"};
    const auto embeddings = encoder(TinyEmbeddingModel::mean, 12)->embed("test", texts);
    ASSERT_EQ(embeddings.size(), 4u);
    EXPECT_TRUE(embeddings[0].empty());
    EXPECT_TRUE(embeddings[1].empty());
    EXPECT_EQ(embeddings[2].size(), TinyEmbeddingModel::n_embd);
    EXPECT_EQ(embeddings[3].size(), TinyEmbeddingModel::n_embd);
    EXPECT_TRUE(encoder(TinyEmbeddingModel::mean)->embed("test", std::vector<std::string>{""})[0].empty());
}

TEST_F(EmbeddingModelTest, LongTextsAreReadInOnePieceAndWithoutRegardToNeighbours) {
    // More texts and tokens than a batch holds, some longer than one, at lengths that no sequence count divides.
    std::vector<std::string> texts;
    for (const std::size_t words : {1u, 40u, 510u, 511u, 899u, 1200u}) {
        texts.push_back(seas(words));
    }
    while (texts.size() < 80) {
        texts.push_back(texts.size() % 2 == 0 ? "sea is blue" : "sky");
    }
    const TinyEmbeddingModel weights(TinyEmbeddingModel::mean, 4000);
    const auto model = encoder(TinyEmbeddingModel::mean, 4000);
    const auto together = model->embed("test", texts);
    std::vector<std::int32_t> tokens(901, TinyEmbeddingModel::first_word);
    tokens.front() = TinyEmbeddingModel::cls_token;
    tokens.back() = TinyEmbeddingModel::sep_token;
    expect_near(together[4], mean_of(weights.states(tokens)), 1e-3);
    expect_near(together[78], mean_of(weights.states(sea_)), 1e-3);
    expect_near(together[79], mean_of(weights.states(sky_)), 1e-3);
    const std::vector<std::string> limits = {seas(EmbeddingModel::max_tokens - 2),
                                             seas(EmbeddingModel::max_tokens - 1)};
    const auto at_limits = model->embed("test", limits);
    EXPECT_EQ(at_limits[0].size(), TinyEmbeddingModel::n_embd);
    EXPECT_TRUE(at_limits[1].empty()) << "longer than is read of any model";
}

TEST_F(EmbeddingModelTest, ACausalModelIsReadWithoutRegardToNeighbours) {
    const auto model =
        EmbeddingModel::load({.path = TinyLanguageModel::dense().write(folder_ / "m.gguf"), .threads = 1});
    EXPECT_EQ(model->pooling(), "mean (not stated)");
    std::vector<std::string> texts; // more than a batch holds, of texts and of tokens
    for (int i = 0; i < 70; ++i) {
        texts.push_back(std::string(static_cast<std::size_t>(1 + i), static_cast<char>('a' + i % 26)));
    }
    texts.push_back(std::string(900, 'z'));
    const auto together = model->embed("test", texts);
    for (const std::size_t place : {0u, 33u, 69u, 70u}) {
        const auto alone = model->embed("test", std::vector<std::string>{texts[place]});
        expect_near(together[place], {alone[0].begin(), alone[0].end()}, 1e-4);
        ASSERT_EQ(alone[0].size(), TinyLanguageModel::n_embd);
    }
    double apart = 0;
    for (std::size_t i = 0; i < together[0].size(); ++i) {
        apart = std::max(apart, std::abs(static_cast<double>(together[0][i] - together[33][i])));
    }
    EXPECT_GT(apart, 0.05);
}

TEST_F(EmbeddingModelTest, WhatGivesNoEmbeddingsIsRefused) {
    expect_error(ErrorKind::model, {"missing.gguf"},
                 [&] { EmbeddingModel::load({.path = (folder_ / "missing.gguf").string()}); });
    expect_error(ErrorKind::model, {"reranker", "embedding model"}, [&] { encoder(TinyEmbeddingModel::rank); });
    expect_error(ErrorKind::model, {"bert.pooling_type is 0", "last (3)"}, [&] { encoder(TinyEmbeddingModel::none); });
    expect_error(ErrorKind::model, {"bert.pooling_type is 9"}, [&] { encoder(9); });
}

/// Asks to stop when the first batch is done.
class StopAfterOne : public ProgressSink {
public:
    void advance(std::uint64_t done, std::string_view) override {
        last = done;
        stop.request_stop();
    }
    void start(std::string_view, std::uint64_t, std::string_view) override {}
    void message(LogLevel, std::string_view) override {}
    std::uint64_t last = 0;
    std::stop_source stop;
};

TEST_F(EmbeddingModelTest, AStopIsHeeded) {
    StopAfterOne watch;
    const auto model = encoder(TinyEmbeddingModel::mean);
    const std::vector<std::string> texts(100, "sea");
    expect_error(ErrorKind::interrupted, {"stopped"},
                 [&] { model->embed("test", texts, watch, watch.stop.get_token()); });
    EXPECT_EQ(watch.last, 32u);
    StopAfterOne loading;
    loading.stop.request_stop();
    expect_error(ErrorKind::interrupted, {"stopped while loading"}, [&] {
        EmbeddingModel::load({.path = (folder_ / "e.gguf").string(), .threads = 1}, loading, loading.stop.get_token());
    });
}

} // namespace
} // namespace valuelens
