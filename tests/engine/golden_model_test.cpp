// The engine against an independent implementation (PyTorch, float32, the same GGUF weights).

#include <gtest/gtest.h>

#include <cmath>

#include "support/golden.h"
#include "valuelens/request.h"

namespace valuelens {
namespace {

using test::Golden;

// Relative to the norm of the reference row.
double relative_error(std::span<const float> got, std::span<const float> expected) {
    double difference = 0;
    double norm = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        difference += std::pow(static_cast<double>(got[i]) - expected[i], 2);
        norm += std::pow(static_cast<double>(expected[i]), 2);
    }
    return std::sqrt(difference / norm);
}

double max_difference(std::span<const float> got, std::span<const float> expected) {
    double worst = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        worst = std::max(worst, std::abs(static_cast<double>(got[i]) - expected[i]));
    }
    return worst;
}

double cosine(std::span<const float> a, std::span<const float> b) {
    double dot = 0;
    double aa = 0;
    double bb = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        dot += static_cast<double>(a[i]) * b[i];
        aa += static_cast<double>(a[i]) * a[i];
        bb += static_cast<double>(b[i]) * b[i];
    }
    return dot / std::sqrt(aa * bb);
}

class GoldenModel : public testing::Test {
protected:
    static void SetUpTestSuite() {
        if (!std::filesystem::exists(test::shared_dir() / "golden")) {
            return;
        }
        golden = std::make_unique<Golden>(Golden::load());
        const std::string path = test::cached_model("smollm2-135m", "f32");
        ASSERT_FALSE(path.empty()) << "smollm2-135m-f32 is not in the cache: `make test` fetches it";
        model = Model::load({.path = path});
    }
    static void TearDownTestSuite() {
        model.reset();
        golden.reset();
    }
    void SetUp() override {
        if (!golden) {
            GTEST_SKIP() << "no reference data at " << test::shared_dir();
        }
    }

    static std::vector<Request> continue_requests(const Capture & capture) {
        std::vector<Request> requests;
        for (const auto & conversation : golden->json["conversations"]) {
            Request request;
            request.kind = RequestKind::continue_;
            request.prompt =
                model->render_chat(conversation["system"].get<std::string>(), conversation["user"].get<std::string>())
                    .tokens;
            request.response = model->tokenize(conversation["response"].get<std::string>(), false, false);
            request.capture = capture;
            requests.push_back(std::move(request));
        }
        return requests;
    }

    static std::span<const float> row(const std::string & name, std::size_t i) {
        const auto & tensor = golden->tensors.at(name);
        const std::size_t width = tensor.size() / static_cast<std::size_t>(golden->shapes.at(name)[0]);
        return std::span(tensor).subspan(i * width, width);
    }

    static std::shared_ptr<Model> model;
    static std::unique_ptr<Golden> golden;
};

std::shared_ptr<Model> GoldenModel::model;
std::unique_ptr<Golden> GoldenModel::golden;

TEST_F(GoldenModel, RendersAndTokenizesAsTransformersDoes) {
    for (const auto & conversation : golden->json["conversations"]) {
        const RenderedPrompt prompt =
            model->render_chat(conversation["system"].get<std::string>(), conversation["user"].get<std::string>());
        EXPECT_EQ(prompt.text, conversation["prompt"].get<std::string>());
        EXPECT_EQ(prompt.tokens, conversation["prompt_tokens"].get<std::vector<Token>>());
        EXPECT_EQ(model->tokenize(conversation["response"].get<std::string>(), false, false),
                  conversation["response_tokens"].get<std::vector<Token>>());
    }
}

TEST_F(GoldenModel, TeacherForcedCaptureGivesTheReferenceMeans) {
    Scheduler scheduler(model, {.parallel = 8});
    const std::vector<Request> requests =
        continue_requests({.resid_post = true, .mlp_post = true, .last_logits = true});
    const std::vector<Response> responses = scheduler.run_all(requests);
    const auto n_layer = static_cast<std::size_t>(model->info().n_layer);
    for (std::size_t i = 0; i < responses.size(); ++i) {
        const std::size_t width = responses[i].resid_post.size() / n_layer;
        const std::size_t mlp_width = responses[i].mlp_post.size() / n_layer;
        for (std::size_t layer = 0; layer < n_layer; ++layer) {
            EXPECT_LT(relative_error(std::span(responses[i].resid_post).subspan(layer * width, width),
                                     row("resid_post_mean", i).subspan(layer * width, width)),
                      1e-5)
                << "transcript " << i << " layer " << layer;
            EXPECT_LT(relative_error(std::span(responses[i].mlp_post).subspan(layer * mlp_width, mlp_width),
                                     row("mlp_post_mean", i).subspan(layer * mlp_width, mlp_width)),
                      1e-4)
                << "transcript " << i << " layer " << layer;
        }
        EXPECT_LT(max_difference(responses[i].last_logits, row("last_logits", i)), 1e-3) << "transcript " << i;
    }
}

TEST_F(GoldenModel, CaptureAloneStopsBeforeTheHeadAndGivesTheSameMeans) {
    Scheduler scheduler(model, {.parallel = 8});
    const std::vector<Response> responses = scheduler.run_all(continue_requests({.resid_post = true}));
    for (std::size_t i = 0; i < responses.size(); ++i) {
        EXPECT_LT(relative_error(responses[i].resid_post, row("resid_post_mean", i)), 1e-5) << "transcript " << i;
    }
}

TEST_F(GoldenModel, CaptureOfAFewLayersEqualsThoseOfAll) {
    Scheduler scheduler(model, {.parallel = 8});
    const std::vector<Response> responses =
        scheduler.run_all(continue_requests({.resid_post = true, .layers = {3, 15}}));
    const auto width = static_cast<std::size_t>(model->info().n_embd);
    for (std::size_t i = 0; i < responses.size(); ++i) {
        ASSERT_EQ(responses[i].resid_post.size(), 2 * width);
        EXPECT_LT(relative_error(std::span(responses[i].resid_post).first(width),
                                 row("resid_post_mean", i).subspan(3 * width, width)),
                  1e-5);
        EXPECT_LT(relative_error(std::span(responses[i].resid_post).last(width),
                                 row("resid_post_mean", i).subspan(15 * width, width)),
                  1e-5);
    }
}

TEST_F(GoldenModel, ResponseLogProbabilitiesSumToTheReference) {
    Scheduler scheduler(model, {.parallel = 8});
    std::vector<Request> requests = continue_requests({});
    for (Request & request : requests) {
        request.logprobs = true;
    }
    const std::vector<Response> responses = scheduler.run_all(requests);
    for (std::size_t i = 0; i < responses.size(); ++i) {
        ASSERT_EQ(responses[i].logprobs.size(), responses[i].tokens.size());
        double sum = 0;
        for (const float logprob : responses[i].logprobs) {
            sum += logprob;
        }
        EXPECT_NEAR(sum, golden->json["conversations"][i]["response_logprob"].get<double>(), 1e-2);
    }
}

TEST_F(GoldenModel, InterventionsGiveTheReferenceLogits) {
    const auto & how = golden->json["intervention"];
    const int layer = how["layer"].get<int>();
    const auto index = how["conversation"].get<std::size_t>();
    const auto at = static_cast<std::size_t>(layer);
    const auto as_vector = [](std::span<const float> values) {
        return std::vector<float>(values.begin(), values.end());
    };

    auto add = std::make_shared<Intervention>();
    add->directions.push_back(
        {layer, as_vector(row("v_prompted", at)), how["alpha"].get<float>(), SteerMode::add, TokenScope::all});
    auto ablate = std::make_shared<Intervention>();
    ablate->directions.push_back({layer, as_vector(row("u_shared", at)), 1, SteerMode::ablate, TokenScope::all});
    auto scale = std::make_shared<Intervention>();
    for (const float neuron : golden->tensors.at("scaled_neurons")) {
        scale->neurons.push_back({layer, static_cast<int>(neuron), how["beta"].get<float>()});
    }

    // All three and the plain model in one batch: neighbours must not see each other's steering.
    const Request base = continue_requests({.last_logits = true}).at(index);
    std::vector<Request> requests(4, base);
    requests[1].intervention = add;
    requests[2].intervention = ablate;
    requests[3].intervention = scale;
    Scheduler scheduler(model, {.parallel = 4});
    const std::vector<Response> responses = scheduler.run_all(requests);
    EXPECT_LT(max_difference(responses[0].last_logits, row("last_logits", index)), 1e-3);
    EXPECT_LT(max_difference(responses[1].last_logits, golden->tensors.at("logits_add")), 1e-3);
    EXPECT_LT(max_difference(responses[2].last_logits, golden->tensors.at("logits_ablate")), 1e-3);
    EXPECT_LT(max_difference(responses[3].last_logits, golden->tensors.at("logits_neuron_scale")), 1e-3);
}

TEST_F(GoldenModel, AnAdditionSharedByAllRequestsGivesTheSameLogits) {
    const auto & how = golden->json["intervention"];
    const auto at = how["layer"].get<std::size_t>();
    const auto index = how["conversation"].get<std::size_t>();
    const std::span<const float> vector = row("v_prompted", at);
    auto add = std::make_shared<Intervention>();
    add->directions.push_back({static_cast<int>(at),
                               {vector.begin(), vector.end()},
                               how["alpha"].get<float>(),
                               SteerMode::add,
                               TokenScope::all});
    // Block 0 is not llama.cpp's to add to, and neurons never are.
    auto mixed = std::make_shared<Intervention>(*add);
    mixed->directions.push_back({0, {vector.begin(), vector.end()}, 0.1f, SteerMode::add, TokenScope::all});
    mixed->directions.push_back(add->directions.front());
    mixed->neurons.push_back({3, 5, 0.0f});

    const Request base = continue_requests({.resid_post = true, .last_logits = true}).at(index);
    Scheduler scheduler(model, {.parallel = 4});
    const auto run = [&](const std::shared_ptr<const Intervention> & first,
                         const std::shared_ptr<const Intervention> & second) {
        std::vector<Request> requests(2, base);
        requests[0].intervention = first;
        requests[1].intervention = second;
        return scheduler.run_all(requests);
    };
    // A neighbour without it makes the hooks do what llama.cpp's adapter does for the shared one.
    const std::vector<Response> by_hooks = run(add, nullptr);
    const std::vector<Response> by_adapter = run(add, add);
    EXPECT_LT(max_difference(by_adapter[0].last_logits, golden->tensors.at("logits_add")), 1e-3);
    EXPECT_LT(max_difference(by_adapter[0].last_logits, by_hooks[0].last_logits), 1e-4);
    EXPECT_LT(relative_error(by_adapter[0].resid_post, by_hooks[0].resid_post), 1e-5) << "captures see the sum";
    EXPECT_LT(max_difference(run(mixed, mixed)[0].last_logits, run(mixed, nullptr)[0].last_logits), 1e-4);
    EXPECT_LT(max_difference(run(nullptr, nullptr)[0].last_logits, row("last_logits", index)), 1e-3)
        << "nothing of it is left for the next list";

    Request uncaptured = base;
    uncaptured.capture.resid_post = false;
    uncaptured.intervention = add;
    SchedulerStats stats;
    scheduler.run_all(std::span(&uncaptured, 1), silent_progress(), {}, &stats);
    EXPECT_EQ(stats.hook_seconds, 0) << "no hook was called: the adapter did it";
}

TEST_F(GoldenModel, TheQuantisedFileAgreesInDirection) {
    const std::string path = test::cached_model("smollm2-135m", "original");
    ASSERT_FALSE(path.empty()) << "smollm2-135m is not in the cache: `make test` fetches it";
    const std::shared_ptr<Model> quantised = Model::load({.path = path});
    Scheduler scheduler(quantised, {.parallel = 8});
    const std::vector<Response> responses = scheduler.run_all(continue_requests({.resid_post = true}));
    const auto width = static_cast<std::size_t>(quantised->info().n_embd);
    for (std::size_t i = 0; i < responses.size(); ++i) {
        for (std::size_t layer = 0; layer < static_cast<std::size_t>(quantised->info().n_layer); ++layer) {
            EXPECT_GE(cosine(std::span(responses[i].resid_post).subspan(layer * width, width),
                             row("resid_post_mean", i).subspan(layer * width, width)),
                      0.999)
                << "transcript " << i << " layer " << layer;
        }
    }
}

} // namespace
} // namespace valuelens
