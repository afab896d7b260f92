// What the scheduler promises whatever the make-up of a batch (docs/reproducibility.md).

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "support/golden.h"
#include "valuelens/error.h"
#include "valuelens/request.h"

namespace valuelens {
namespace {

class SchedulerModel : public testing::Test {
protected:
    static void SetUpTestSuite() {
        const std::string path = test::cached_model("smollm2-135m", "f32");
        ASSERT_FALSE(path.empty()) << "smollm2-135m-f32 is not in the cache: `make test` fetches it";
        model = Model::load({.path = path});
    }
    static void TearDownTestSuite() { model.reset(); }

    static Request generate(const std::string & system, const std::string & user, int max_tokens,
                            Capture capture = {}) {
        Request request;
        request.prompt = model->render_chat(system, user).tokens;
        request.max_tokens = max_tokens;
        request.capture = std::move(capture);
        return request;
    }

    // Prompts of very different lengths: padding and position bugs show as wrong means.
    static std::vector<Request> mixed_requests(Capture capture = {}) {
        std::string long_text = "Here is my week.";
        for (int i = 0; i < 12; ++i) {
            long_text += " On day " + std::to_string(i) + " I worked late, cooked for two and called an old friend.";
        }
        return {generate("", "Hi", 6, capture),
                generate("You value tradition.", "What should I cook for my family on Sunday?", 11, capture),
                generate("", long_text + " What should I change?", 9, capture),
                generate("Be brief.", "Name a colour.", 3, capture),
                generate("", "Should I move to another city for a better job?", 14, capture)};
    }

    static double relative_error(const std::vector<float> & got, const std::vector<float> & expected) {
        double difference = 0;
        double norm = 0;
        for (std::size_t i = 0; i < expected.size(); ++i) {
            difference += std::pow(static_cast<double>(got[i]) - expected[i], 2);
            norm += std::pow(static_cast<double>(expected[i]), 2);
        }
        return std::sqrt(difference / norm);
    }

    static std::shared_ptr<Model> model;
};

std::shared_ptr<Model> SchedulerModel::model;

TEST_F(SchedulerModel, CaptureDuringGenerationEqualsTeacherForcedCapture) {
    const Capture capture{.resid_post = true, .mlp_post = true};
    const std::vector<Request> requests = mixed_requests(capture);
    Scheduler scheduler(model, {.parallel = 4});
    const std::vector<Response> written = scheduler.run_all(requests);
    std::vector<Request> again;
    for (std::size_t i = 0; i < requests.size(); ++i) {
        ASSERT_FALSE(written[i].tokens.empty());
        Request request;
        request.kind = RequestKind::continue_;
        request.prompt = requests[i].prompt;
        request.response = written[i].tokens;
        request.capture = capture;
        again.push_back(std::move(request));
    }
    const std::vector<Response> read = scheduler.run_all(again);
    const auto n_layer = static_cast<std::size_t>(model->info().n_layer);
    for (std::size_t i = 0; i < requests.size(); ++i) {
        ASSERT_EQ(written[i].resid_post.size(), n_layer * static_cast<std::size_t>(model->info().n_embd));
        EXPECT_LT(relative_error(written[i].resid_post, read[i].resid_post), 1e-4) << i;
        EXPECT_LT(relative_error(written[i].mlp_post, read[i].mlp_post), 1e-4) << i;
    }
}

TEST_F(SchedulerModel, GreedyTokensDoNotDependOnTheNumberOfSequencesInFlight) {
    const std::vector<Request> requests = mixed_requests();
    const std::vector<Response> alone = Scheduler(model, {.parallel = 1}).run_all(requests);
    const std::vector<Response> together = Scheduler(model, {.parallel = 5}).run_all(requests);
    const std::vector<Response> small_batches = Scheduler(model, {.parallel = 3, .batch_size = 16}).run_all(requests);
    for (std::size_t i = 0; i < requests.size(); ++i) {
        EXPECT_EQ(alone[i].tokens, together[i].tokens) << i;
        EXPECT_EQ(alone[i].tokens, small_batches[i].tokens) << i;
    }
}

TEST_F(SchedulerModel, AListGivesTheSameBitsEachTime) {
    const std::vector<Request> requests = mixed_requests({.resid_post = true});
    Scheduler scheduler(model, {.parallel = 3});
    const std::vector<Response> first = scheduler.run_all(requests);
    scheduler.run_all(std::vector<Request>{generate("", "Something else in between", 20)});
    const std::vector<Response> second = scheduler.run_all(requests);
    for (std::size_t i = 0; i < requests.size(); ++i) {
        EXPECT_EQ(first[i].tokens, second[i].tokens);
        EXPECT_EQ(first[i].resid_post, second[i].resid_post);
    }
}

TEST_F(SchedulerModel, SampledTokensDependOnTheRequestsOwnSeedAlone) {
    std::vector<Request> requests = mixed_requests();
    for (std::size_t i = 0; i < requests.size(); ++i) {
        requests[i].sampling = {.temperature = 0.9f, .top_k = 40, .top_p = 0.95f, .min_p = 0.02f, .seed = 100 + i};
    }
    const std::vector<Response> together = Scheduler(model, {.parallel = 5}).run_all(requests);
    for (std::size_t i = 0; i < requests.size(); ++i) {
        const std::vector<Response> alone =
            Scheduler(model, {.parallel = 1}).run_all(std::span(requests).subspan(i, 1));
        EXPECT_EQ(alone[0].tokens, together[i].tokens) << i;
    }
    requests[4].sampling.seed = 999;
    const std::vector<Response> reseeded = Scheduler(model, {.parallel = 5}).run_all(requests);
    EXPECT_NE(reseeded[4].tokens, together[4].tokens);
    EXPECT_EQ(reseeded[0].tokens, together[0].tokens);
}

TEST_F(SchedulerModel, MaxTokensIsKeptAndSaid) {
    const std::vector<Response> responses = Scheduler(model, {.parallel = 5}).run_all(mixed_requests());
    const std::vector<std::size_t> limits{6, 11, 9, 3, 14};
    for (std::size_t i = 0; i < responses.size(); ++i) {
        EXPECT_LE(responses[i].tokens.size(), limits[i]);
        EXPECT_EQ(responses[i].finish == FinishReason::length, responses[i].tokens.size() == limits[i]) << i;
    }
}

TEST_F(SchedulerModel, SharedPrefixesAreDecodedOnceAndChangeNothing) {
    const std::vector<Token> prefix =
        model
            ->render_plain("The following text was written by a careful person who likes to keep promises and to help: "
                           "'Let us ask the neighbours first and then decide together.' Does it express the value ")
            .tokens;
    std::vector<Request> requests;
    for (const char * value : {"security", "power", "tradition", "hedonism", "self-direction", "achievement"}) {
        Request request;
        request.kind = RequestKind::choose;
        request.prompt = prefix;
        for (const Token token : model->tokenize(std::string(value) + "? Answer:", false, false)) {
            request.prompt.push_back(token);
        }
        request.choices = {model->tokenize(" Yes", false, false).front(), model->tokenize(" No", false, false).front()};
        requests.push_back(std::move(request));
    }
    SchedulerStats stats;
    const std::vector<Response> shared =
        Scheduler(model, {.parallel = 8}).run_all(requests, silent_progress(), {}, &stats);
    EXPECT_GE(stats.shared_tokens, (requests.size() - 1) * prefix.size());
    EXPECT_EQ(stats.decoded_tokens + stats.shared_tokens, stats.prompt_tokens);
    for (std::size_t i = 0; i < requests.size(); ++i) {
        SchedulerStats alone_stats;
        const std::vector<Response> alone =
            Scheduler(model, {.parallel = 1})
                .run_all(std::span(requests).subspan(i, 1), silent_progress(), {}, &alone_stats);
        EXPECT_EQ(alone_stats.shared_tokens, 0u);
        ASSERT_EQ(shared[i].choice_logprobs.size(), 2u);
        EXPECT_NEAR(shared[i].choice_logprobs[0], alone[0].choice_logprobs[0], 1e-3);
        EXPECT_NEAR(shared[i].choice_logprobs[1], alone[0].choice_logprobs[1], 1e-3);
    }
    // With one sequence in flight the members take over the prefix one after the other.
    SchedulerStats one_by_one;
    const std::vector<Response> serial =
        Scheduler(model, {.parallel = 1}).run_all(requests, silent_progress(), {}, &one_by_one);
    EXPECT_EQ(one_by_one.shared_tokens, stats.shared_tokens);
    for (std::size_t i = 0; i < requests.size(); ++i) {
        EXPECT_NEAR(shared[i].choice_logprobs[0], serial[i].choice_logprobs[0], 1e-3);
    }
}

// Suffixes of very different lengths in a cache that holds only some of them at a time: the cells that a finished
// member leaves may be too few for the one that follows.
TEST_F(SchedulerModel, SharedPrefixesInATightCacheNeverOverflowIt) {
    std::string text = "A short story.";
    for (int i = 0; i < 14; ++i) {
        text += " Then she walked on, met a friend at the corner and forgot what time it was.";
    }
    const std::vector<Token> prefix = model->render_plain(text).tokens;
    std::vector<Request> requests;
    for (int i = 0; i < 24; ++i) {
        Request request;
        request.kind = RequestKind::choose;
        request.prompt = prefix;
        for (int k = 0; k < (i % 2 == 0 ? 3 : 90) + i; ++k) {
            request.prompt.push_back(prefix[static_cast<std::size_t>(k + 1 + i) % prefix.size()]);
        }
        request.choices = {prefix[1]};
        requests.push_back(std::move(request));
    }
    const std::vector<Response> together = Scheduler(model, {.parallel = 16}).run_all(requests);
    for (const std::size_t i : {0u, 1u, 22u, 23u}) {
        const std::vector<Response> alone =
            Scheduler(model, {.parallel = 1}).run_all(std::span(requests).subspan(i, 1));
        EXPECT_NEAR(together[i].choice_logprobs[0], alone[0].choice_logprobs[0], 1e-3) << i;
    }
}

TEST_F(SchedulerModel, GenerationsOfOneLongPromptShareIt) {
    Request request = generate(
        "You are a patient adviser who explains each step and never forgets to ask how the other person feels about "
        "it.",
        "My brother wants to borrow money again. I like him, but he never pays back. What would you do in my place?",
        5);
    std::vector<Request> requests(4, request);
    for (std::size_t i = 0; i < requests.size(); ++i) {
        requests[i].sampling = {.temperature = 1.0f, .seed = i};
    }
    SchedulerStats stats;
    const std::vector<Response> shared =
        Scheduler(model, {.parallel = 2}).run_all(requests, silent_progress(), {}, &stats);
    EXPECT_GT(stats.shared_tokens, 2 * request.prompt.size());
    for (std::size_t i = 0; i < requests.size(); ++i) {
        EXPECT_EQ(shared[i].tokens,
                  Scheduler(model, {.parallel = 1}).run_all(std::span(requests).subspan(i, 1))[0].tokens);
    }
}

TEST_F(SchedulerModel, ARequestTooLongForTheContextIsReportedNotCut) {
    std::vector<Request> requests = mixed_requests();
    Scheduler scheduler(model, {.parallel = 2, .ctx_size = 64});
    const std::vector<Response> responses = scheduler.run_all(requests);
    EXPECT_EQ(responses[2].finish, FinishReason::too_long);
    EXPECT_TRUE(responses[2].tokens.empty());
    EXPECT_FALSE(responses[0].tokens.empty());
}

TEST_F(SchedulerModel, AStopRequestKeepsWhatIsDone) {
    const std::vector<Request> requests = mixed_requests();
    std::stop_source stop;
    std::size_t done = 0;
    Scheduler scheduler(model, {.parallel = 1});
    try {
        scheduler.run(
            requests,
            [&](std::size_t, Response && response) {
                EXPECT_FALSE(response.tokens.empty());
                if (++done == 2) {
                    stop.request_stop();
                }
            },
            silent_progress(), stop.get_token());
        FAIL() << "the run was not interrupted";
    } catch (const Error & error) {
        EXPECT_EQ(error.kind(), ErrorKind::interrupted);
    }
    EXPECT_EQ(done, 2u);
    EXPECT_EQ(scheduler.run_all(requests).size(), requests.size()); // the scheduler is usable afterwards
}

TEST_F(SchedulerModel, AlphaZeroChangesNothingAndAblatingTwiceEqualsOnce) {
    std::vector<float> direction(static_cast<std::size_t>(model->info().n_embd));
    for (std::size_t i = 0; i < direction.size(); ++i) {
        direction[i] = std::sin(static_cast<float>(i));
    }
    const auto intervention = [&](std::vector<LayerDirection> directions) {
        auto result = std::make_shared<Intervention>();
        result->directions = std::move(directions);
        return result;
    };
    Request base;
    base.kind = RequestKind::continue_;
    base.prompt = model->render_chat("", "What matters most in life?").tokens;
    base.response = model->tokenize("People and what they build together.", false, false);
    base.capture = {.resid_post = true, .last_logits = true};
    std::vector<Request> requests(5, base);
    requests[1].intervention = intervention({{10, direction, 0.0f, SteerMode::add, TokenScope::all}});
    requests[2].intervention = intervention({{10, direction, 1.0f, SteerMode::ablate, TokenScope::all}});
    requests[3].intervention = intervention({{10, direction, 1.0f, SteerMode::ablate, TokenScope::all},
                                             {10, direction, 1.0f, SteerMode::ablate, TokenScope::all}});
    requests[4].intervention = intervention({{10, direction, 3.0f, SteerMode::add, TokenScope::all},
                                             {10, direction, 1.0f, SteerMode::ablate, TokenScope::all}});
    std::vector<Response> alone;
    for (const Request & request : requests) {
        alone.push_back(Scheduler(model, {.parallel = 1}).run_all(std::span(&request, 1))[0]);
    }
    EXPECT_EQ(alone[0].last_logits, alone[1].last_logits) << "added by llama.cpp's adapter";
    Request by_hook = base;
    by_hook.intervention = intervention({{0, direction, 0.0f, SteerMode::add, TokenScope::all}});
    EXPECT_EQ(Scheduler(model, {.parallel = 1}).run_all(std::span(&by_hook, 1))[0].last_logits, alone[0].last_logits)
        << "block 0 is the hook's";
    EXPECT_LT(relative_error(alone[3].last_logits, alone[2].last_logits), 1e-5);
    EXPECT_LT(relative_error(alone[4].last_logits, alone[2].last_logits), 1e-4);
    const auto component = [&](const Response & response) {
        const auto width = direction.size();
        double dot = 0;
        double norm = 0;
        for (std::size_t i = 0; i < width; ++i) {
            dot += static_cast<double>(response.resid_post[10 * width + i]) * direction[i];
            norm += static_cast<double>(direction[i]) * direction[i];
        }
        return std::abs(dot) / std::sqrt(norm);
    };
    EXPECT_GT(component(alone[0]), 1e-3);
    EXPECT_LT(component(alone[2]), 1e-4); // the capture sees the steered stream
    EXPECT_LT(component(alone[4]), 1e-4) << "nothing is left of what was added before";
}

} // namespace
} // namespace valuelens
