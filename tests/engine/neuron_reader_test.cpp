#include "engine/neuron_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"
#include "support/tiny_language_model.h"
#include "valuelens/request.h"

namespace valuelens {
namespace {

using test::TinyLanguageModel;

constexpr double same = 1e-5; // the model is F32; other batches round otherwise

class NeuronReaderTest : public testing::Test {
protected:
    std::shared_ptr<Model> load(const TinyLanguageModel & weights) const {
        return Model::load({.path = weights.write(folder_ / "m.gguf"), .threads = 1});
    }

    static std::vector<std::vector<Token>> windows(std::initializer_list<std::size_t> lengths) {
        Rng rng(5);
        std::vector<std::vector<Token>> all;
        for (const std::size_t length : lengths) {
            std::vector<Token> & window = all.emplace_back();
            for (std::size_t i = 0; i < length; ++i) {
                window.push_back(static_cast<Token>(3 + rng.below(256)));
            }
        }
        return all;
    }

    TempFolder folder_;
};

/// The mean of mlp_post over a window, by the scheduler's own capture.
std::vector<float> captured_mean(const std::shared_ptr<Model> & model, const std::vector<Token> & window) {
    Request request;
    request.kind = RequestKind::continue_;
    request.response = window;
    request.capture.mlp_post = true;
    return Scheduler(model, {}).run_all(std::vector<Request>{request}).front().mlp_post;
}

TEST_F(NeuronReaderTest, ReadsWhatCaptureReadsWindowsOfDifferentLengthsAndTheLastBlockIncluded) {
    const TinyLanguageModel weights = TinyLanguageModel::dense();
    const std::shared_ptr<Model> model = load(weights);
    const std::vector<std::vector<Token>> texts = windows({16, 3, 9, 16, 1});
    for (const int deepest : {1, 2}) { // below the last block nothing is asked of it
        std::vector<NeuronId> neurons;
        for (int layer = deepest; layer >= 0; --layer) {
            for (int neuron = layer; neuron < 48; neuron += 5) {
                neurons.push_back({layer, -1, neuron});
            }
        }
        NeuronReader reader(model, neurons, 16, 128);
        ASSERT_GE(reader.windows_at_once(), texts.size());
        for (int repeat = 0; repeat < 2; ++repeat) { // nothing of the first batch stays behind
            const NeuronActivations & found = reader.read(texts);
            for (std::size_t w = 0; w < texts.size(); ++w) {
                const std::vector<float> mean = captured_mean(model, texts[w]);
                for (std::size_t i = 0; i < neurons.size(); ++i) {
                    double sum = 0;
                    for (std::size_t t = 0; t < texts[w].size(); ++t) {
                        sum += static_cast<double>(found.of(i)[found.window_begins[w] + t]);
                    }
                    const auto at = static_cast<std::size_t>(neurons[i].layer * 48 + neurons[i].neuron);
                    EXPECT_NEAR(sum / static_cast<double>(texts[w].size()), static_cast<double>(mean[at]), same);
                }
            }
        }
    }
}

TEST_F(NeuronReaderTest, AnExpertsNeuronIsZeroWhereTheTokenIsNotRoutedToIt) {
    const std::shared_ptr<Model> model = load(TinyLanguageModel::mixture());
    std::vector<NeuronId> neurons;
    for (int expert = 0; expert < 5; ++expert) {
        neurons.push_back({1, expert, 3});
    }
    neurons.push_back({1, shared_expert, 7});
    NeuronReader reader(model, neurons, 12, 64);
    const std::vector<std::vector<Token>> texts = windows({12, 12, 12});
    const NeuronActivations & found = reader.read(texts);
    std::vector<int> used(5);
    for (std::size_t row = 0; row < found.n_row; ++row) {
        int active = 0;
        for (std::size_t expert = 0; expert < 5; ++expert) {
            active += found.of(expert)[row] != 0 ? 1 : 0;
            used[expert] += found.of(expert)[row] != 0 ? 1 : 0;
        }
        EXPECT_EQ(active, static_cast<int>(TinyLanguageModel::n_used));
        EXPECT_NE(found.of(5)[row], 0);
    }
    EXPECT_GT(std::count_if(used.begin(), used.end(), [](int n) { return n > 0; }), 2) << "the router tells them apart";
}

TEST_F(NeuronReaderTest, NeuronsThatTheModelDoesNotHaveAreRefused) {
    const std::shared_ptr<Model> model = load(TinyLanguageModel::dense());
    expect_error(ErrorKind::usage, {"layer 2 has no neuron 48", "0-47"}, [&] {
        NeuronReader(model, {{2, -1, 48}}, 16);
    });
    expect_error(ErrorKind::usage, {"layer 3", "0-2"}, [&] { NeuronReader(model, {{3, -1, 0}}, 16); });
    expect_error(ErrorKind::model, {"block 1", "expert"}, [&] { NeuronReader(model, {{1, 0, 0}}, 16); });
}

} // namespace
} // namespace valuelens
