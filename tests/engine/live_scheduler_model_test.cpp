// Requests that come in at any time give what they give alone.

#include "valuelens/live_scheduler.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <future>
#include <thread>

#include "support/expect_error.h"
#include "support/golden.h"

namespace valuelens {
namespace {

/// What one request gave, waited for.
class Pending {
public:
    Pending(LiveScheduler & scheduler, Request request, std::function<bool(const TokenEvent &)> on_token = {}) {
        auto promise = std::make_shared<std::promise<Response>>();
        result_ = promise->get_future();
        ticket = scheduler.submit(std::move(request),
                                  {std::move(on_token),
                                   [promise](Response && response) { promise->set_value(std::move(response)); },
                                   [promise](const Error & error) {
                                       promise->set_exception(std::make_exception_ptr(error));
                                   }});
    }
    Response get() { return result_.get(); }

    LiveScheduler::Ticket ticket = 0;

private:
    std::future<Response> result_;
};

class LiveSchedulerModel : public testing::Test {
protected:
    static void SetUpTestSuite() {
        const std::string path = test::cached_model("smollm2-135m", "f32");
        ASSERT_FALSE(path.empty()) << "smollm2-135m-f32 is not in the cache: `make test` fetches it";
        model = Model::load({.path = path});
    }
    static void TearDownTestSuite() { model.reset(); }

    static Request generate(const std::string & user, int max_tokens,
                            std::shared_ptr<const Intervention> intervention = nullptr) {
        Request request;
        request.prompt = model->render_chat("", user).tokens;
        request.max_tokens = max_tokens;
        request.ignore_eos = true;
        request.intervention = std::move(intervention);
        return request;
    }

    static std::vector<float> direction(float frequency) {
        std::vector<float> vector(static_cast<std::size_t>(model->info().n_embd));
        for (std::size_t i = 0; i < vector.size(); ++i) {
            vector[i] = std::sin(static_cast<float>(i) * frequency);
        }
        return vector;
    }

    static std::shared_ptr<const Intervention> steer(float frequency, float alpha, SteerMode mode = SteerMode::add,
                                                     TokenScope tokens = TokenScope::all) {
        auto intervention = std::make_shared<Intervention>();
        for (const int layer : {8, 14}) {
            intervention->directions.push_back({layer, direction(frequency), alpha, mode, tokens});
        }
        return intervention;
    }

    static std::vector<Request> mixed() {
        const std::string long_text(400, 'a');
        std::vector<Request> requests = {
            generate("Name a colour.", 12),
            generate("Should I move to another city?", 10, steer(1.0f, 3.0f)),
            generate("What should I cook for my family on Sunday?", 14, steer(0.3f, 1.0f, SteerMode::ablate)),
            generate("Hi", 9, steer(0.7f, 2.0f, SteerMode::add, TokenScope::response)),
            generate("Count these: " + long_text, 8),
            generate("Name a colour.", 11, steer(0.7f, 4.0f)),
        };
        auto neurons = std::make_shared<Intervention>();
        for (int neuron = 0; neuron < 200; ++neuron) {
            neurons->neurons.push_back({.layer = 5, .neuron = neuron, .beta = 0.0f});
        }
        requests.push_back(generate("Name a colour.", 12, neurons));
        return requests;
    }

    static std::shared_ptr<Model> model;
};

std::shared_ptr<Model> LiveSchedulerModel::model;

TEST_F(LiveSchedulerModel, OutputDoesNotDependOnWhomItRunsBesideNorHowTheyAreSteered) {
    const std::vector<Request> requests = mixed();
    std::vector<std::vector<Token>> alone;
    for (const Request & request : requests) {
        alone.push_back(Scheduler(model, {.parallel = 1}).run_all(std::span(&request, 1))[0].tokens);
    }
    EXPECT_NE(alone[0], alone[5]) << "the steering does something";
    LiveScheduler live(model, {.parallel = 4, .ctx_size = 512});
    for (int round = 0; round < 2; ++round) { // the second time over caches that the first left behind
        std::vector<std::unique_ptr<Pending>> pending;
        for (const Request & request : requests) {
            pending.push_back(std::make_unique<Pending>(live, request));
        }
        for (std::size_t i = 0; i < requests.size(); ++i) {
            EXPECT_EQ(pending[i]->get().tokens, alone[i]) << "request " << i << ", round " << round;
        }
    }
    const LiveStats stats = live.stats();
    EXPECT_EQ(stats.finished, 2 * requests.size());
    EXPECT_GT(stats.work.shared_tokens, 0u) << "the second round goes on where the first left its prompts";
}

TEST_F(LiveSchedulerModel, RequestsOfManyThreadsAllComeBack) {
    LiveScheduler live(model, {.parallel = 3, .ctx_size = 256});
    const std::vector<Token> expected =
        Scheduler(model, {.parallel = 1}).run_all(std::vector<Request>{generate("Hi", 4)})[0].tokens;
    std::vector<std::thread> threads;
    std::atomic<int> right{0};
    for (int i = 0; i < 12; ++i) {
        threads.emplace_back([&, i] {
            if (Pending(live, generate("Hi", 4, i % 2 == 0 ? nullptr : steer(0.5f, 0.0f))).get().tokens == expected) {
                ++right;
            }
        });
    }
    for (std::thread & thread : threads) {
        thread.join();
    }
    EXPECT_EQ(right, 12);
}

TEST_F(LiveSchedulerModel, AConversationGoesOnWhereItEnded) {
    LiveScheduler live(model, {.parallel = 2, .ctx_size = 512});
    Request first = generate("Tell me about the sea and who lives in it.", 12);
    const Response answer = Pending(live, first).get();
    Request second = first;
    second.prompt.insert(second.prompt.end(), answer.tokens.begin(), answer.tokens.end());
    for (const Token token : model->tokenize(" And of rivers?", false, false)) {
        second.prompt.push_back(token);
    }
    const std::uint64_t before = live.stats().work.shared_tokens;
    const std::vector<Token> again = Pending(live, second).get().tokens;
    Pending(live, generate("x", 1)).get(); // the counters are shown with the next step
    EXPECT_GE(live.stats().work.shared_tokens - before, first.prompt.size() + answer.tokens.size() - 1);
    EXPECT_EQ(again, Scheduler(model, {.parallel = 1}).run_all(std::span(&second, 1))[0].tokens);
}

TEST_F(LiveSchedulerModel, CancellingFreesTheSlotAndSaysSo) {
    LiveScheduler live(model, {.parallel = 1, .ctx_size = 512});
    std::promise<void> started;
    std::atomic<bool> told{false};
    Pending endless(live, generate("Tell me a long story.", 400), [&](const TokenEvent &) {
        if (!told.exchange(true)) {
            started.set_value();
        }
        return true;
    });
    Pending waiting(live, generate("Hi", 3));
    started.get_future().wait();
    live.cancel(endless.ticket);
    EXPECT_EQ(waiting.get().tokens.size(), 3u);
    expect_error(ErrorKind::interrupted, {"cancelled"}, [&] { endless.get(); });
    live.cancel(endless.ticket); // a second time, and of one that is done: nothing happens
    live.cancel(waiting.ticket);
    EXPECT_EQ(Pending(live, generate("Hi", 2)).get().tokens.size(), 2u);
    EXPECT_EQ(live.stats().cancelled, 1u);
}

TEST_F(LiveSchedulerModel, DestroyingItEndsWhatIsLeft) {
    std::unique_ptr<Pending> running;
    std::unique_ptr<Pending> waiting;
    {
        LiveScheduler live(model, {.parallel = 1, .ctx_size = 512});
        std::promise<void> started;
        std::atomic<bool> told{false};
        running = std::make_unique<Pending>(live, generate("Tell me a long story.", 400), [&](const TokenEvent &) {
            if (!told.exchange(true)) {
                started.set_value();
            }
            return true;
        });
        waiting = std::make_unique<Pending>(live, generate("Hi", 3));
        started.get_future().wait();
    }
    expect_error(ErrorKind::interrupted, {}, [&] { running->get(); });
    expect_error(ErrorKind::interrupted, {}, [&] { waiting->get(); });
}

TEST_F(LiveSchedulerModel, WhoWatchesTheTokensMayStopThem) {
    LiveScheduler live(model, {.parallel = 2, .ctx_size = 256});
    int seen = 0;
    Pending pending(live, generate("Tell me a story.", 40), [&](const TokenEvent &) { return ++seen < 5; });
    const Response response = pending.get();
    EXPECT_EQ(response.finish, FinishReason::done);
    EXPECT_EQ(response.tokens.size(), 5u);
    EXPECT_EQ(seen, 5);
}

TEST_F(LiveSchedulerModel, LogprobsAreThoseOfTeacherForcingAndTheLikeliestComeFirst) {
    LiveScheduler live(model, {.parallel = 2, .ctx_size = 256});
    Request request = generate("Name a colour.", 6);
    request.logprobs = true;
    request.top_logprobs = 3;
    const Response response = Pending(live, request).get();
    ASSERT_EQ(response.top_logprobs.size(), response.tokens.size());
    Request read;
    read.kind = RequestKind::continue_;
    read.prompt = request.prompt;
    read.response = response.tokens;
    read.logprobs = true;
    const Response scored = Scheduler(model, {.parallel = 1}).run_all(std::span(&read, 1))[0];
    for (std::size_t i = 0; i < response.tokens.size(); ++i) {
        EXPECT_NEAR(response.logprobs[i], scored.logprobs[i], 1e-3);
        ASSERT_EQ(response.top_logprobs[i].size(), 3u);
        EXPECT_EQ(response.top_logprobs[i][0].token, response.tokens[i]); // greedy
        EXPECT_FLOAT_EQ(response.top_logprobs[i][0].logprob, response.logprobs[i]);
        EXPECT_GE(response.top_logprobs[i][0].logprob, response.top_logprobs[i][1].logprob);
        EXPECT_GE(response.top_logprobs[i][1].logprob, response.top_logprobs[i][2].logprob);
    }
}

TEST_F(LiveSchedulerModel, ProjectionsAreThoseOfTheCapturedStream) {
    auto projector = std::make_shared<Projector>();
    projector->n_directions = 2;
    projector->rows = {{0, 12, direction(0.4f)}, {1, 3, direction(0.9f)}, {1, 29, direction(0.2f)}};
    Request request = generate("Should I move to another city?", 7, steer(1.0f, 2.0f));
    request.capture.projector = projector;
    request.capture.resid_post = true;
    LiveScheduler live(model, {.parallel = 2, .ctx_size = 256});
    std::size_t longest_view = 0;
    const Response written = Pending(live, request, [&](const TokenEvent & event) {
                                 EXPECT_EQ(event.prompt_projection.size(), 2u);
                                 longest_view = std::max(longest_view, event.projections.size());
                                 return true;
                             }).get();
    EXPECT_EQ(longest_view, 2 * (written.tokens.size() - 1)); // a token's own comes with the next
    Request read = request;
    read.kind = RequestKind::continue_;
    read.response = written.tokens;
    const Response again = Scheduler(model, {.parallel = 1}).run_all(std::span(&read, 1))[0];
    const auto width = static_cast<std::size_t>(model->info().n_embd);
    for (const Response * response : {&written, &again}) {
        ASSERT_EQ(response->projections.size(), 2 * written.tokens.size());
        ASSERT_EQ(response->prompt_projection.size(), 2u);
        for (std::size_t d = 0; d < 2; ++d) {
            double expected = 0;
            for (const Projector::Row & row : projector->rows) {
                for (std::size_t i = 0; i < width && row.direction == d; ++i) {
                    expected +=
                        static_cast<double>(response->resid_post[static_cast<std::size_t>(row.layer) * width + i]) *
                        row.vector[i];
                }
            }
            double mean = 0;
            for (std::size_t t = 0; t < written.tokens.size(); ++t) {
                mean += response->projections[t * 2 + d] / static_cast<double>(written.tokens.size());
            }
            EXPECT_NEAR(mean, expected, 1e-3 * (1 + std::abs(expected)));
        }
    }
    for (std::size_t i = 0; i < written.projections.size(); ++i) {
        EXPECT_NEAR(written.projections[i], again.projections[i], 1e-2);
    }
    EXPECT_NEAR(written.prompt_projection[1], again.prompt_projection[1], 1e-2);
}

TEST_F(LiveSchedulerModel, ARequestSteeredOutOfAllNumbersFailsAloneAndLeavesNothingBehind) {
    LiveScheduler live(model, {.parallel = 2, .ctx_size = 256});
    const Request good = generate("Tell me a story.", 30);
    const std::vector<Token> expected = Scheduler(model, {.parallel = 1}).run_all(std::span(&good, 1))[0].tokens;
    Pending neighbour(live, good);
    Pending broken(live, generate("Name a colour.", 5, steer(1.0f, 3e38f)));
    expect_error(ErrorKind::model, {"steering strength far too large"}, [&] { broken.get(); });
    EXPECT_EQ(neighbour.get().tokens, expected);
    Pending first(live, good); // one of them gets the place of the broken one
    Pending second(live, generate("Name a colour.", 5));
    EXPECT_EQ(first.get().tokens, expected);
    EXPECT_EQ(second.get().tokens.size(), 5u);
    EXPECT_EQ(live.stats().failed, 1u);
}

TEST_F(LiveSchedulerModel, WhatCannotRunIsRefusedAtOnce) {
    LiveScheduler live(model, {.parallel = 2, .ctx_size = 256});
    EXPECT_EQ(live.context_size(), 256u);
    EXPECT_EQ(live.sequences(), 2u);
    expect_error(ErrorKind::usage, {"do not fit the context of 256 tokens"},
                 [&] { Pending(live, generate("Hi", 400)); });
    auto narrow = std::make_shared<Intervention>();
    narrow->directions.push_back({3, {1.0f, 2.0f}});
    expect_error(ErrorKind::usage, {"width 576"}, [&] { Pending(live, generate("Hi", 4, narrow)); });
    EXPECT_EQ(live.stats().failed, 0u);
}

} // namespace
} // namespace valuelens
