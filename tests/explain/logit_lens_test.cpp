#include "explain/logit_lens.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/temp_folder.h"
#include "support/tiny_language_model.h"

namespace valuelens {
namespace {

using test::TinyLanguageModel;

class LogitLensTest : public testing::Test {
protected:
    std::shared_ptr<Model> load(const TinyLanguageModel & weights) const {
        return Model::load({.path = weights.write(folder_ / "m.gguf"), .threads = 1});
    }

    /// Ids of bytes: 3 + byte, one token each.
    static void expect_extremes(const LensTokens & lens, std::vector<std::pair<double, std::size_t>> logits) {
        std::sort(logits.begin(), logits.end(), [](const auto & a, const auto & b) { return a.first > b.first; });
        ASSERT_EQ(lens.top.size(), 4u);
        ASSERT_EQ(lens.bottom.size(), 4u);
        for (std::size_t i = 0; i < 4; ++i) {
            EXPECT_NEAR(static_cast<double>(lens.top[i].second), logits[i].first, 1e-4);
            EXPECT_NEAR(static_cast<double>(lens.bottom[i].second), logits[logits.size() - 1 - i].first, 1e-4);
        }
    }

    TempFolder folder_;
};

std::vector<std::pair<double, std::size_t>> logits_of(const TinyLanguageModel & weights, const char * head,
                                                      std::span<const float> direction) {
    std::vector<std::pair<double, std::size_t>> logits;
    constexpr std::size_t width = TinyLanguageModel::n_embd;
    for (std::size_t token = 0; token < TinyLanguageModel::n_vocab; ++token) {
        double sum = 0;
        for (std::size_t i = 0; i < width; ++i) {
            sum += static_cast<double>(weights.tensor(head).values[token * width + i]) *
                   static_cast<double>(weights.tensor("output_norm.weight").values[i]) *
                   static_cast<double>(direction[i]);
        }
        logits.emplace_back(sum, token);
    }
    return logits;
}

TEST_F(LogitLensTest, TheColumnsOfTheDownProjectionGoThroughGainAndHead) {
    TinyLanguageModel weights = TinyLanguageModel::dense();
    for (const bool tied : {false, true}) {
        if (tied) {
            weights.remove("output.weight");
        }
        const std::shared_ptr<Model> model = load(weights);
        const std::vector<NeuronId> neurons = {{0, -1, 3}, {2, -1, 47}};
        const std::vector<float> w = output_weights(model->info().path, neurons);
        ASSERT_EQ(w.size(), 2 * TinyLanguageModel::n_embd);
        for (std::size_t n = 0; n < 2; ++n) {
            const auto & down = weights.tensor(n == 0 ? "blk.0.ffn_down.weight" : "blk.2.ffn_down.weight").values;
            for (std::size_t i = 0; i < TinyLanguageModel::n_embd; ++i) {
                EXPECT_EQ(w[n * TinyLanguageModel::n_embd + i],
                          down[i * 48 + static_cast<std::size_t>(neurons[n].neuron)]);
            }
        }
        const std::vector<LensTokens> lenses = logit_lens(*model, w, 2, 4, silent_progress(), {});
        for (std::size_t n = 0; n < 2; ++n) {
            expect_extremes(lenses[n],
                            logits_of(weights, tied ? "token_embd.weight" : "output.weight",
                                      std::span(w).subspan(n * TinyLanguageModel::n_embd, TinyLanguageModel::n_embd)));
        }
    }
}

TEST_F(LogitLensTest, ADirectionThatIsNotFiniteHasNoTokens) {
    const std::shared_ptr<Model> model = load(TinyLanguageModel::dense());
    const std::vector<float> direction(TinyLanguageModel::n_embd, std::nanf(""));
    const std::vector<LensTokens> lenses = logit_lens(*model, direction, 1, 4, silent_progress(), {});
    EXPECT_TRUE(lenses[0].top.empty());
    EXPECT_TRUE(lenses[0].bottom.empty());
}

} // namespace
} // namespace valuelens
