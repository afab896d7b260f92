#include "clients/client.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <mutex>

#include "support/expect_error.h"
#include "support/scripted_server.h"

namespace valuelens {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using test::completion;
using test::ScriptedServer;

constexpr const char * key_variable = "VALUELENS_TEST_KEY";

/// A clock that sleeping moves on, and a record of the sleeps.
class FakeTime {
public:
    void put_into(ClientOptions & options) {
        options.sleep = [this](milliseconds time, std::stop_token stop) {
            const std::lock_guard lock(mutex_);
            sleeps_.push_back(time);
            now_ += time;
            return !stop.stop_requested();
        };
        options.now = [this] {
            const std::lock_guard lock(mutex_);
            return now_;
        };
    }
    std::vector<milliseconds> sleeps() const {
        const std::lock_guard lock(mutex_);
        return sleeps_;
    }

private:
    mutable std::mutex mutex_;
    std::chrono::system_clock::time_point now_ = std::chrono::sys_days(std::chrono::year(2015) / 10 / 21);
    std::vector<milliseconds> sleeps_;
};

class ClientTest : public testing::Test {
protected:
    void SetUp() override { ::unsetenv(key_variable); }
    void TearDown() override { ::unsetenv(key_variable); }

    ClientOptions options(const std::string & url) {
        ClientOptions options;
        options.url = url;
        options.url_name = "judge.url";
        options.model = "m";
        options.key_variable = key_variable;
        options.concurrency = 2;
        options.timeout = 20s;
        options.retry.max_retries = 4;
        time.put_into(options);
        return options;
    }
    std::unique_ptr<ChatService> connect(const ScriptedServer & server) {
        return connect_client(options(server.url()), silent_progress());
    }
    static std::vector<ChatRequest> requests(std::size_t n) {
        std::vector<ChatRequest> list(n);
        for (std::size_t i = 0; i < n; ++i) {
            list[i].messages.push_back({"user", std::to_string(i)});
        }
        return list;
    }
    static std::vector<ChatOutcome> ask(ChatService & client, std::size_t n, std::stop_token stop = {}) {
        std::vector<ChatOutcome> outcomes(n);
        client.ask_all(
            requests(n), [&](std::size_t i, ChatOutcome && outcome) { outcomes[i] = std::move(outcome); }, stop);
        return outcomes;
    }
    /// Expects that asking one request fails for good after so many calls.
    void expect_failure(ScriptedServer & server, int calls, const std::vector<std::string> & words) {
        const std::unique_ptr<ChatService> client = connect(server);
        expect_error(ErrorKind::judge, words, [&] { ask(*client, 1); });
        EXPECT_EQ(server.calls(), calls);
    }

    FakeTime time;
};

TEST_F(ClientTest, AnswersComeBackAtTheirPlacesAndAreCounted) {
    ScriptedServer server([](const nlohmann::json & body, httplib::Response & response, int) {
        ScriptedServer::answer(response, completion("re " + body["messages"][0]["content"].get<std::string>()));
    });
    const std::unique_ptr<ChatService> client = connect(server);
    const std::vector<ChatOutcome> outcomes = ask(*client, 20);
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
        EXPECT_EQ(outcomes[i].status, ChatStatus::answered);
        EXPECT_EQ(outcomes[i].reply.content, "re " + std::to_string(i));
    }
    EXPECT_EQ(server.calls(), 20);
    EXPECT_EQ(client->stats().answered, 20u);
    EXPECT_EQ(client->stats().prompt_tokens, 200u);
    EXPECT_EQ(client->stats().completion_tokens, 40u);
    EXPECT_EQ(client->stats().retries, 0u);
}

TEST_F(ClientTest, AsManyAsAllowedAreInFlightAndNoMore) {
    std::atomic<int> in_flight = 0;
    std::atomic<int> most = 0;
    ScriptedServer server([&](const nlohmann::json &, httplib::Response & response, int call) {
        const int now = ++in_flight;
        most = std::max(most.load(), now);
        if (call < 2) { // the first two wait for each other; a client that sends one at a time would hang here
            for (int i = 0; i < 2000 && in_flight < 2 && most < 2; ++i) {
                std::this_thread::sleep_for(5ms);
            }
        }
        --in_flight;
        ScriptedServer::answer(response, completion("yes"));
    });
    const std::unique_ptr<ChatService> client = connect(server);
    ask(*client, 12);
    EXPECT_EQ(most, 2);
}

TEST_F(ClientTest, ServerErrorsAreTriedAgainWithGrowingPauses) {
    ScriptedServer server([](const nlohmann::json &, httplib::Response & response, int call) {
        static constexpr int statuses[] = {500, 503, 408};
        if (call < 3) {
            ScriptedServer::fail(response, statuses[call], "later");
        } else {
            ScriptedServer::answer(response, completion("yes"));
        }
    });
    const std::unique_ptr<ChatService> client = connect(server);
    EXPECT_EQ(ask(*client, 1)[0].reply.content, "yes");
    EXPECT_EQ(client->stats().retries, 3u);
    const std::vector<milliseconds> sleeps = time.sleeps();
    ASSERT_EQ(sleeps.size(), 3u);
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(sleeps[static_cast<std::size_t>(i)], backoff({}, 0, i));
    }
}

TEST_F(ClientTest, RetryAfterIsKeptInSecondsAndAsADate) {
    ScriptedServer server([](const nlohmann::json &, httplib::Response & response, int call) {
        if (call == 0) {
            ScriptedServer::fail(response, 429, "slow down", "7");
        } else if (call == 1) {
            ScriptedServer::fail(response, 503, "slow down", "Wed, 21 Oct 2015 00:01:00 GMT");
        } else {
            ScriptedServer::answer(response, completion("yes"));
        }
    });
    ask(*connect(server), 1);
    const std::vector<milliseconds> sleeps = time.sleeps();
    ASSERT_EQ(sleeps.size(), 2u);
    EXPECT_EQ(sleeps[0], 7s + backoff({}, 0, 0));
    EXPECT_EQ(sleeps[0] + sleeps[1], 60s + backoff({}, 0, 1)); // the date is one minute after the clock began
}

TEST_F(ClientTest, ALongRetryAfterEndsTheCommand) {
    ScriptedServer server([](const nlohmann::json &, httplib::Response & response, int) {
        ScriptedServer::fail(response, 429, "tomorrow", "86400");
    });
    expect_failure(server, 1, {"asks to wait 86400 seconds"});
}

TEST_F(ClientTest, AServerThatKeepsFailingIsGivenUp) {
    ScriptedServer server([](const nlohmann::json &, httplib::Response & response, int) {
        ScriptedServer::fail(response, 500, "out of memory");
    });
    expect_failure(server, 5, {"failed 5 times in a row", "500", "out of memory", "the same command goes on"});
}

TEST_F(ClientTest, AnAnswerThatIsCutOffIsAskedForAgain) {
    ScriptedServer server([](const nlohmann::json &, httplib::Response & response, int call) {
        call == 0 ? ScriptedServer::cut_off(response) : ScriptedServer::answer(response, completion("yes"));
    });
    const std::unique_ptr<ChatService> client = connect(server);
    EXPECT_EQ(ask(*client, 1)[0].reply.content, "yes");
    EXPECT_EQ(server.calls(), 2);
}

TEST_F(ClientTest, ASlowAnswerTimesOutAndIsAskedForAgain) {
    ScriptedServer * self = nullptr;
    ScriptedServer server([&](const nlohmann::json &, httplib::Response & response, int call) {
        if (call == 0) {
            self->hang();
        }
        ScriptedServer::answer(response, completion("yes"));
    });
    self = &server;
    ClientOptions impatient = options(server.url());
    impatient.timeout = 200ms;
    const std::unique_ptr<ChatService> client = connect_client(impatient, silent_progress());
    EXPECT_EQ(ask(*client, 1)[0].reply.content, "yes");
    EXPECT_EQ(server.calls(), 2);
}

TEST_F(ClientTest, AnAnswerWithoutAnEndIsBrokenOff) {
    ScriptedServer server(
        [](const nlohmann::json &, httplib::Response & response, int) { ScriptedServer::endless(response); });
    ClientOptions careful = options(server.url());
    careful.max_body = 100000;
    careful.retry.max_retries = 1;
    const std::unique_ptr<ChatService> client = connect_client(careful, silent_progress());
    expect_error(ErrorKind::judge, {"failed 2 times"}, [&] { ask(*client, 1); });
    EXPECT_EQ(server.calls(), 2);
}

TEST_F(ClientTest, NonsenseIsTriedAgainThenAnOutcomeOfItsOwn) {
    ScriptedServer server([](const nlohmann::json & body, httplib::Response & response, int) {
        if (body["messages"][0]["content"] == "3") {
            response.set_content("<html>It works!</html>", "text/html");
        } else {
            ScriptedServer::answer(response, completion("yes"));
        }
    });
    const std::unique_ptr<ChatService> client = connect(server);
    const std::vector<ChatOutcome> outcomes = ask(*client, 6);
    EXPECT_EQ(outcomes[2].status, ChatStatus::answered);
    EXPECT_EQ(outcomes[3].status, ChatStatus::unusable);
    EXPECT_THAT(outcomes[3].problem, testing::HasSubstr("not a JSON object"));
    EXPECT_EQ(server.calls(), 5 + 4);
}

TEST_F(ClientTest, AServerThatTalksNothingButNonsenseIsGivenUp) {
    ScriptedServer server([](const nlohmann::json &, httplib::Response & response, int) {
        ScriptedServer::answer(response, {{"model", "m"}, {"choices", nlohmann::json::array()}});
    });
    const std::unique_ptr<ChatService> client = connect(server);
    expect_error(ErrorKind::judge, {"choices is empty"}, [&] { ask(*client, 100); });
    EXPECT_LT(server.calls(), 100);
}

TEST_F(ClientTest, ARejectedRequestIsAnOutcomeAndIsNotSentAgain) {
    ScriptedServer server([](const nlohmann::json & body, httplib::Response & response, int) {
        if (body["messages"][0]["content"] == "1") {
            ScriptedServer::fail(response, 400, "the prompt is too long");
        } else {
            ScriptedServer::answer(response, completion("yes"));
        }
    });
    const std::unique_ptr<ChatService> client = connect(server);
    const std::vector<ChatOutcome> outcomes = ask(*client, 3);
    EXPECT_EQ(outcomes[1].status, ChatStatus::rejected);
    EXPECT_THAT(outcomes[1].problem, testing::HasSubstr("the prompt is too long"));
    EXPECT_EQ(outcomes[2].status, ChatStatus::answered);
    EXPECT_EQ(server.calls(), 3);
}

TEST_F(ClientTest, AServerThatComesToRejectEverythingIsGivenUp) {
    ScriptedServer server([](const nlohmann::json &, httplib::Response & response, int call) {
        call == 0 ? ScriptedServer::answer(response, completion("yes"))
                  : ScriptedServer::fail(response, 400, "the context is too small");
    });
    const std::unique_ptr<ChatService> client = connect(server);
    ask(*client, 1);
    EXPECT_EQ(ask(*client, 3)[2].status, ChatStatus::rejected); // a few may happen
    expect_error(ErrorKind::judge, {"none of 9 requests", "too small"}, [&] { ask(*client, 9); });
}

TEST_F(ClientTest, WhatTryingAgainCannotHelpFailsAtOnce) {
    struct Case {
        int status;
        const char * message;
        std::vector<std::string> words;
    };
    const Case cases[] = {
        {401, "no such key", {"refuses access", "401", "no such key", key_variable}},
        {403, "not yours", {"refuses access", "403"}},
        {404, "unknown route", {"/v1/chat/completions", "404", "judge.url"}},
        {400, "The model `m` does not exist", {"no model 'm'"}},
        {429, "You exceeded your current quota", {"account is used up"}},
        {307, "", {"redirects", "judge.url"}},
    };
    for (const Case & each : cases) {
        ScriptedServer server([&](const nlohmann::json &, httplib::Response & response, int) {
            response.set_header("Location", "http://127.0.0.1:9/v1/chat/completions");
            ScriptedServer::fail(response, each.status, each.message);
        });
        expect_failure(server, 1, each.words);
    }
    EXPECT_TRUE(time.sleeps().empty());
}

TEST_F(ClientTest, AnotherModelThanAskedForIsRefused) {
    ScriptedServer server([](const nlohmann::json &, httplib::Response & response, int) {
        ScriptedServer::answer(response, completion("yes", "quite-another"));
    });
    ClientOptions wrong = options(server.url());
    expect_failure(server, 1, {"'quite-another'", "'m' was asked for"});
    wrong.model = "n";
    expect_error(ErrorKind::judge, {"does not have the model 'n' but m"},
                 [&] { connect_client(wrong, silent_progress()); });
}

TEST_F(ClientTest, TheOnlyModelNeedsNoName) {
    const ScriptedServer::Chat dated = [](const nlohmann::json & body, httplib::Response & response, int) {
        ScriptedServer::answer(response, completion(body["model"], "Owner/Some-Model-2024-08-06"));
    };
    ScriptedServer one(dated, {"some-model"});
    ClientOptions nameless = options(one.url());
    nameless.model = "";
    const std::unique_ptr<ChatService> client = connect_client(nameless, silent_progress());
    EXPECT_EQ(client->model(), "some-model");
    EXPECT_EQ(ask(*client, 1)[0].reply.content, "some-model");

    ScriptedServer two(dated, {"a", "b"});
    nameless.url = two.url();
    expect_error(ErrorKind::usage, {"several models (a, b)", "server_model"},
                 [&] { connect_client(nameless, silent_progress()); });
}

TEST_F(ClientTest, TheKeyComesFromTheEnvironmentAndAppearsNowhere) {
    ::setenv(key_variable, "secret-0123456789", 1);
    ScriptedServer server([](const nlohmann::json &, httplib::Response & response, int) {
        ScriptedServer::fail(response, 401, "Incorrect API key provided: secret-0123456789");
    });
    const std::unique_ptr<ChatService> client = connect(server);
    EXPECT_EQ(server.authorization(), "Bearer secret-0123456789");
    try {
        ask(*client, 1);
        FAIL() << "nothing was thrown";
    } catch (const Error & error) {
        EXPECT_THAT(error.what(), testing::HasSubstr("Incorrect API key provided: [key]"));
        EXPECT_THAT(error.what(), testing::Not(testing::HasSubstr("secret")));
    }
    ::setenv(key_variable, "secret\r\nX-Header: 1", 1);
    expect_error(ErrorKind::usage, {key_variable, "line breaks"}, [&] { connect(server); });
}

TEST_F(ClientTest, AServerThatIsNotThereFailsAfterItsRetries) {
    std::string url;
    {
        ScriptedServer gone([](const nlohmann::json &, httplib::Response &, int) {});
        url = gone.url();
    }
    expect_error(ErrorKind::judge, {url.substr(0, url.size() - 3), "cannot be reached"},
                 [&] { connect_client(options(url), silent_progress()); });
    EXPECT_EQ(time.sleeps().size(), 4u);
}

TEST_F(ClientTest, AStopRequestEndsAPause) {
    ScriptedServer server([](const nlohmann::json &, httplib::Response & response, int) {
        ScriptedServer::fail(response, 503, "later");
    });
    std::stop_source source;
    ClientOptions patient = options(server.url());
    patient.sleep = {}; // really sleeps, for up to hours
    patient.retry.first = 24h;
    patient.retry.longest = 24h;
    const std::unique_ptr<ChatService> client = connect_client(patient, silent_progress());
    std::jthread stopper([&] {
        while (server.calls() == 0) {
            std::this_thread::sleep_for(5ms);
        }
        source.request_stop();
    });
    expect_error(ErrorKind::interrupted, {"stopped"}, [&] { ask(*client, 3, source.get_token()); });
}

TEST_F(ClientTest, AStopRequestEndsTheWaitForAnAnswer) {
    ScriptedServer * self = nullptr;
    ScriptedServer server([&](const nlohmann::json &, httplib::Response &, int) { self->hang(); });
    self = &server;
    std::stop_source source;
    ClientOptions patient = options(server.url());
    patient.timeout = 24h;
    const std::unique_ptr<ChatService> client = connect_client(patient, silent_progress());
    std::jthread stopper([&] {
        while (server.calls() < 2) {
            std::this_thread::sleep_for(5ms);
        }
        source.request_stop();
    });
    int done = 0;
    expect_error(ErrorKind::interrupted, {"stopped"}, [&] {
        client->ask_all(
            requests(5), [&](std::size_t, ChatOutcome &&) { ++done; }, source.get_token());
    });
    EXPECT_EQ(done, 0);
}

TEST_F(ClientTest, WhatTheCallerThrowsComesOut) {
    ScriptedServer server([](const nlohmann::json &, httplib::Response & response, int) {
        ScriptedServer::answer(response, completion("yes"));
    });
    const std::unique_ptr<ChatService> client = connect(server);
    int calls = 0;
    EXPECT_THROW(client->ask_all(requests(10),
                                 [&](std::size_t, ChatOutcome &&) {
                                     ++calls;
                                     throw std::runtime_error("full");
                                 },
                                 {}),
                 std::runtime_error);
    EXPECT_EQ(calls, 1);
}

} // namespace
} // namespace valuelens
