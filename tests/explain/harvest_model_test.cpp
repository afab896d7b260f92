// The harvest of a real model is what `capture` reads of the same text, and its top excerpts those of a search.

#include "explain/harvest.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/file.h"
#include "support/golden.h"
#include "support/temp_folder.h"

namespace valuelens {
namespace {

constexpr double same = 1e-5;

const std::vector<NeuronId> neurons = {{0, -1, 0}, {3, -1, 700}, {14, -1, 1535}, {29, -1, 11}};

class HarvestModel : public testing::Test {
protected:
    void SetUp() override {
        const std::string path = test::cached_model("smollm2-135m", "f32");
        if (path.empty()) {
            GTEST_SKIP() << "smollm2-135m:f32 is not in the cache; make test fetches it";
        }
        model = Model::load({.path = path, .threads = 2});
        write_file(folder_ / "corpus.txt",
                   "When I was young we shared what little we had with the neighbours, and nobody "
                   "asked what it cost.\n\nShe runs the company of 120 people alone.\n");
    }

    Harvester read(std::size_t top) const {
        HarvestOptions options;
        options.window = 12;
        options.top = top;
        options.random = 100; // more than there are windows: all are kept
        HarvestCounts counts;
        Harvester harvested =
            harvest(model, {}, neurons, {{folder_ / "corpus.txt"}, {}}, options, {}, counts, silent_progress(), {});
        EXPECT_EQ(counts.documents, 2u);
        EXPECT_GE(harvested.n_random(), 3u);
        EXPECT_EQ(harvested.n_random(), harvested.windows());
        return harvested;
    }

    std::shared_ptr<Model> model;

private:
    TempFolder folder_;
};

TEST_F(HarvestModel, EqualsMlpPostOfCapture) {
    const Harvester harvested = read(20);
    const std::size_t bos = model->tokenize("", true, false).size();
    std::vector<Request> requests;
    for (std::size_t place = 0; place < harvested.n_random(); ++place) {
        Request request;
        request.kind = RequestKind::continue_;
        request.prompt = model->tokenize("", true, false);
        request.response = harvested.random_excerpt(0, place, Pole::positive).tokens;
        request.capture.mlp_post = true;
        request.capture.skip_first = bos == 0 ? 1 : 0;
        requests.push_back(std::move(request));
    }
    const std::vector<Response> captured = Scheduler(model, {}).run_all(requests);
    for (std::size_t place = 0; place < requests.size(); ++place) {
        for (std::size_t n = 0; n < neurons.size(); ++n) {
            const Excerpt excerpt = harvested.random_excerpt(n, place, Pole::positive);
            double sum = 0;
            for (const float activation : excerpt.activations) {
                sum += static_cast<double>(activation);
            }
            const std::size_t count = excerpt.tokens.size() - requests[place].capture.skip_first;
            const auto at = static_cast<std::size_t>(neurons[n].layer * 1536 + neurons[n].neuron);
            EXPECT_NEAR(sum / static_cast<double>(count), static_cast<double>(captured[place].mlp_post[at]), same)
                << neurons[n].layer << "/" << neurons[n].neuron;
        }
    }
}

TEST_F(HarvestModel, EqualsMlpPostOfEachTokenAlone) {
    const Harvester harvested = read(20);
    const std::vector<Token> tokens = harvested.random_excerpt(0, 0, Pole::positive).tokens;
    const std::vector<Token> bos = model->tokenize("", true, false);
    std::vector<Request> requests;
    for (std::size_t t = 1; t < tokens.size(); ++t) {
        Request & request = requests.emplace_back();
        request.kind = RequestKind::continue_;
        request.prompt = bos;
        request.prompt.insert(request.prompt.end(), tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(t));
        request.response = {tokens[t]};
        request.capture.mlp_post = true;
    }
    const std::vector<Response> captured = Scheduler(model, {}).run_all(requests);
    for (std::size_t n = 0; n < neurons.size(); ++n) {
        const Excerpt excerpt = harvested.random_excerpt(n, 0, Pole::positive);
        const auto at = static_cast<std::size_t>(neurons[n].layer * 1536 + neurons[n].neuron);
        for (std::size_t t = 1; t < tokens.size(); ++t) {
            EXPECT_NEAR(excerpt.activations[t], captured[t - 1].mlp_post[at], same) << n << " at token " << t;
        }
    }
}

TEST_F(HarvestModel, TheTopExcerptsAreThoseOfABruteForceSearch) {
    const Harvester harvested = read(2);
    for (std::size_t n = 0; n < neurons.size(); ++n) {
        for (const Pole pole : {Pole::positive, Pole::negative}) {
            std::vector<std::pair<float, std::uint64_t>> all; // of each window its peak
            for (std::size_t place = 0; place < harvested.n_random(); ++place) {
                const Excerpt excerpt = harvested.random_excerpt(n, place, pole);
                float peak = 0;
                for (const float activation : excerpt.activations) {
                    peak = std::max(peak, pole == Pole::positive ? activation : -activation);
                }
                all.emplace_back(peak, excerpt.window);
            }
            std::sort(all.rbegin(), all.rend());
            const std::vector<Excerpt> & top = harvested.of(n).top[static_cast<std::size_t>(pole)];
            ASSERT_EQ(top.size(), 2u);
            for (std::size_t i = 0; i < top.size(); ++i) {
                EXPECT_EQ(top[i].peak, all[i].first);
                EXPECT_EQ(top[i].window, all[i].second);
            }
        }
    }
}

} // namespace
} // namespace valuelens
