#include "explain/logit_lens.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "explain/summary.h"
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

    /// Tokens in the order of the vocabulary: three of the model's own, then a byte each, then the space.
    static std::string text_of(std::size_t token) {
        static const std::string first[] = {"<unk>", "<s>", "</s>"};
        return token < 3 ? first[token] : token < 259 ? std::string(1, static_cast<char>(token - 3)) : " ";
    }

    static void expect_extremes(const LensTokens & lens, std::vector<std::pair<double, std::size_t>> logits) {
        std::sort(logits.begin(), logits.end(), [](const auto & a, const auto & b) { return a.first > b.first; });
        ASSERT_EQ(lens.top.size(), 4u);
        ASSERT_EQ(lens.bottom.size(), 4u);
        for (std::size_t i = 0; i < 4; ++i) {
            const auto & highest = logits[i];
            const auto & lowest = logits[logits.size() - 1 - i];
            EXPECT_NEAR(static_cast<double>(lens.top[i].second), highest.first, 1e-4);
            EXPECT_NEAR(static_cast<double>(lens.bottom[i].second), lowest.first, 1e-4);
            EXPECT_EQ(lens.top[i].first, text_of(highest.second));
            EXPECT_EQ(lens.bottom[i].first, text_of(lowest.second));
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

// Each axis at each layer is the row of a token of its own in the output head, which is longer along itself than any
// other: that token must come first.
TEST_F(LogitLensTest, AxesAtTheirLayersGiveTheTokensWhoseRowsTheyAre) {
    TinyLanguageModel weights = TinyLanguageModel::dense();
    std::fill(weights.tensor("output_norm.weight").values.begin(), weights.tensor("output_norm.weight").values.end(),
              1.0f);
    constexpr std::size_t width = TinyLanguageModel::n_embd;
    std::vector<float> & head = weights.tensor("output.weight").values;
    for (std::size_t token = 0; token < TinyLanguageModel::n_vocab; ++token) {
        double length = 0;
        for (std::size_t i = 0; i < width; ++i) {
            length += static_cast<double>(head[token * width + i]) * static_cast<double>(head[token * width + i]);
        }
        for (std::size_t i = 0; i < width; ++i) {
            head[token * width + i] /= static_cast<float>(std::sqrt(length));
        }
    }
    const auto row = [&](char c) {
        const auto first = head.begin() + static_cast<std::ptrdiff_t>((static_cast<std::size_t>(c) + 3) * width);
        return std::vector<float>(first, first + static_cast<std::ptrdiff_t>(width));
    };
    const auto rows = [&](const std::string & letters) {
        std::vector<float> all;
        for (const char c : letters) {
            const std::vector<float> one = c == '-' ? std::vector<float>(width, std::nanf("")) : row(c);
            all.insert(all.end(), one.begin(), one.end());
        }
        return all;
    };
    AxisSet axes;
    axes.n_layer = 3;
    axes.n_embd = width;
    ValueAxes care;
    care.value = "care";
    care.shared = rows("-bc");
    care.intrinsic = rows("def");
    ValueAxes power = care;
    power.value = "power";
    power.shared = rows("ghi");
    power.intrinsic = rows("jk-");
    axes.axes = {care, power};
    ExplainJob job;
    job.subject = load(weights);
    job.axes = &axes;
    ExplainOptions options;
    options.lens_tokens = 2;
    std::vector<std::string> found;
    for (const AxisLens & lens : axis_lenses(job, options, silent_progress(), {})) {
        ASSERT_EQ(lens.tokens.top.size(), 2u);
        EXPECT_NEAR(lens.tokens.top[0].second, 1, 1e-5);
        found.push_back(fmt::format("{} {} {} {}", lens.value, lens.axis, lens.layer, lens.tokens.top[0].first));
    }
    EXPECT_THAT(found,
                testing::ElementsAre("care shared 1 b", "care shared 2 c", "care intrinsic 0 d", "care intrinsic 1 e",
                                     "care intrinsic 2 f", "power shared 0 g", "power shared 1 h", "power shared 2 i",
                                     "power intrinsic 0 j", "power intrinsic 1 k"));
    options.lens_tokens = 0;
    EXPECT_TRUE(axis_lenses(job, options, silent_progress(), {}).empty());
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
