// The harvest of a real model is what `capture` reads of the same text.

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

TEST(HarvestModel, EqualsMlpPostOfCapture) {
    const std::string path = test::cached_model("smollm2-135m", "f32");
    if (path.empty()) {
        GTEST_SKIP() << "smollm2-135m:f32 is not in the cache; make test fetches it";
    }
    const TempFolder folder;
    write_file(folder / "corpus.txt", "When I was young we shared what little we had with the neighbours, and nobody "
                                      "asked what it cost.\n\nShe runs the company of 120 people alone.\n");
    const std::shared_ptr<Model> model = Model::load({.path = path, .threads = 2});
    const std::vector<NeuronId> neurons = {{0, -1, 0}, {3, -1, 700}, {14, -1, 1535}, {29, -1, 11}};
    HarvestOptions options;
    options.window = 12;
    options.random = 100; // more than there are windows: all are kept
    HarvestCounts counts;
    const Harvester harvested =
        harvest(model, {}, neurons, {{folder / "corpus.txt"}, {}}, options, {}, counts, silent_progress(), {});
    EXPECT_EQ(counts.documents, 2u);
    ASSERT_GE(harvested.n_random(), 3u);
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

} // namespace
} // namespace valuelens
