// The server over HTTP, with a real model.

#include "serve/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>

#include "base/file.h"
#include "pipeline/watch.h"
#include "serve/running_server.h"
#include "serve/steering_files.h"
#include "support/golden.h"
#include "support/temp_folder.h"
#include "valuelens/request.h"

namespace valuelens {
namespace {

using nlohmann::json;
using test::RunningServer;
using testing::HasSubstr;

class ServerModel : public testing::Test {
protected:
    static void SetUpTestSuite() {
        const std::string path = test::cached_model("smollm2-135m", "f32");
        ASSERT_FALSE(path.empty()) << "smollm2-135m-f32 is not in the cache: `make test` fetches it";
        folder = std::make_unique<TempFolder>();
        std::filesystem::create_directory(*folder / "sources");
        const ModelInfo info = read_model_info(path);
        test::write_axes(*folder / "sources/axes.safetensors", info);
        test::write_axes(*folder / "outside.safetensors", info);
        test::write_neurons(*folder / "sources/neurons.csv");
        options.model.path = path;
        options.scheduler.parallel = 4;
        options.scheduler.ctx_size = 512;
        options.sources = *folder / "sources";
        options.max_body = 200'000;
        server = std::make_unique<RunningServer>(options);
    }
    static void TearDownTestSuite() {
        server.reset();
        folder.reset();
    }

    static json ask(const std::string & question, int max_tokens, const json & more = json::object()) {
        json body = {{"messages", {{{"role", "user"}, {"content", question}}}},
                     {"max_tokens", max_tokens},
                     {"temperature", 0},
                     {"ignore_eos", true}};
        body.update(more);
        return body;
    }
    static json steer(const std::string & key, double scale, const json & more = json::object()) {
        json vector = {{"source", "axes.safetensors"}, {"key", key}, {"scale", scale}};
        vector.update(more);
        return {{"steering", {{"vectors", json::array({vector})}}}};
    }
    static std::string text_of(const httplib::Result & result) {
        EXPECT_TRUE(result);
        EXPECT_EQ(result ? result->status : 0, 200) << (result ? result->body : "no answer");
        return result && result->status == 200
                   ? json::parse(result->body)["choices"][0]["message"]["content"].get<std::string>()
                   : std::string();
    }
    static void refused(int status, const std::string & words, const httplib::Result & result) {
        ASSERT_TRUE(result) << words;
        EXPECT_EQ(result->status, status) << result->body;
        const json body = json::parse(result->body, nullptr, false);
        ASSERT_TRUE(body.is_object() && body.contains("error")) << result->body;
        EXPECT_THAT(body["error"]["message"].get<std::string>(), HasSubstr(words));
    }

    static std::unique_ptr<TempFolder> folder;
    static ServeOptions options;
    static std::unique_ptr<RunningServer> server;
};

std::unique_ptr<TempFolder> ServerModel::folder;
ServeOptions ServerModel::options;
std::unique_ptr<RunningServer> ServerModel::server;

TEST_F(ServerModel, AnswersAsTheModelDoesWholeOrStreamed) {
    const std::shared_ptr<Model> model = Model::load(options.model);
    Request request;
    const std::vector<ChatMessage> messages = {
        {"system", "Be brief."}, {"user", "Name a colour."}, {"assistant", "Blue."}, {"user", "Another one."}};
    request.prompt = model->render_messages(messages).tokens;
    request.max_tokens = 12;
    request.ignore_eos = true;
    const std::string expected =
        model->detokenize(Scheduler(model, {.parallel = 1}).run_all(std::span(&request, 1))[0].tokens);

    json body = ask("", 12);
    body["messages"] = {{{"role", "developer"}, {"content", "Be brief."}},
                        {{"role", "user"}, {"content", json::array({{{"type", "text"}, {"text", "Name a colour."}}})}},
                        {{"role", "assistant"}, {"content", "Blue."}},
                        {{"role", "user"}, {"content", "Another one."}}};
    const auto whole = server->chat(body);
    EXPECT_EQ(text_of(whole), expected);
    const json answer = json::parse(whole->body);
    EXPECT_EQ(answer["usage"]["prompt_tokens"], request.prompt.size());
    EXPECT_EQ(answer["usage"]["completion_tokens"], 12);
    EXPECT_EQ(answer["choices"][0]["finish_reason"], "length");
    EXPECT_EQ(answer["model"], "smollm2-135m-f32");

    body["stream"] = true;
    body["stream_options"] = {{"include_usage", true}};
    const auto streamed = server->chat(body);
    ASSERT_TRUE(streamed);
    EXPECT_THAT(streamed->get_header_value("Content-Type"), HasSubstr("text/event-stream"));
    bool done = false;
    std::string text;
    std::string finish;
    json usage;
    for (const json & event : test::events_of(streamed->body, done)) {
        if (!event["choices"].empty()) {
            text += event["choices"][0]["delta"].value("content", "");
            const json & reason = event["choices"][0]["finish_reason"];
            finish = reason.is_null() ? finish : reason.get<std::string>();
        }
        usage = event["usage"];
    }
    EXPECT_TRUE(done);
    EXPECT_EQ(text, expected);
    EXPECT_EQ(finish, "length");
    EXPECT_EQ(usage["completion_tokens"], 12);
}

TEST_F(ServerModel, SteeringIsPerRequestWhateverRunsBeside) {
    const std::vector<json> bodies = {
        ask("What matters in life?", 12),
        ask("What matters in life?", 12, steer("care/shared", 30, {{"layers", "8-20"}})),
        ask("What matters in life?", 12, steer("power/shared", 0.4, {{"unit", "resid"}, {"layers", 12}})),
        ask("What matters in life?", 12,
            {{"steering",
              {{"vectors", {{{"source", "axes.safetensors"}, {"key", "compliance"}, {"mode", "ablate"}}}}}}}),
        ask("What matters in life?", 12,
            {{"steering",
              {{"neurons", {{{"source", "neurons.csv"}, {"value", "care"}, {"category", "shared"}, {"scale", 3}}}}}}}),
    };
    std::vector<std::string> alone;
    for (const json & body : bodies) {
        alone.push_back(text_of(server->chat(body)));
    }
    EXPECT_NE(alone[0], alone[1]);
    EXPECT_NE(alone[1], alone[2]);
    std::vector<std::thread> threads;
    std::atomic<int> same{0};
    for (int round = 0; round < 2; ++round) {
        for (std::size_t i = 0; i < bodies.size(); ++i) {
            threads.emplace_back([&, i] { same += text_of(server->chat(bodies[i])) == alone[i] ? 1 : 0; });
        }
    }
    for (std::thread & thread : threads) {
        thread.join();
    }
    EXPECT_EQ(same, 10);
    EXPECT_EQ(text_of(server->chat(ask("What matters in life?", 12, steer("care/shared", 0)))), alone[0]);
}

TEST_F(ServerModel, SeveralAnswersStopStringsSeedsAndLogprobs) {
    const json sampled = {{"n", 3}, {"temperature", 1.2}, {"seed", 7}, {"logprobs", true}, {"top_logprobs", 2}};
    const auto first = server->chat(ask("Tell me a story.", 10, sampled));
    const auto second = server->chat(ask("Tell me a story.", 10, sampled));
    ASSERT_EQ(text_of(first), text_of(second));
    const json answer = json::parse(first->body);
    ASSERT_EQ(answer["choices"].size(), 3u);
    EXPECT_NE(answer["choices"][0]["message"], answer["choices"][1]["message"]);
    for (const json & choice : answer["choices"]) {
        std::string text;
        for (const json & token : choice["logprobs"]["content"]) {
            text += token["token"].get<std::string>();
            EXPECT_LE(token["logprob"].get<double>(), 0);
            EXPECT_EQ(token["top_logprobs"].size(), 2u);
        }
        EXPECT_EQ(text, choice["message"]["content"]);
    }
    EXPECT_EQ(answer["usage"]["completion_tokens"], 30);

    const std::string whole = text_of(server->chat(ask("Count to ten.", 24)));
    ASSERT_GT(whole.size(), 12u);
    const std::string stop = whole.substr(whole.size() / 2, 5);
    const auto stopped = server->chat(ask("Count to ten.", 24, {{"stop", stop}}));
    EXPECT_EQ(text_of(stopped), whole.substr(0, whole.find(stop)));
    EXPECT_EQ(json::parse(stopped->body)["choices"][0]["finish_reason"], "stop");
}

TEST_F(ServerModel, CompletionsTakeTextsAndTokens) {
    json body = {{"prompt", {"The sky is", "Two and two"}}, {"max_tokens", 4}, {"temperature", 0}, {"logprobs", 1}};
    const auto result = server->post("/v1/completions", body.dump());
    ASSERT_TRUE(result);
    ASSERT_EQ(result->status, 200) << result->body;
    const json answer = json::parse(result->body);
    ASSERT_EQ(answer["choices"].size(), 2u);
    EXPECT_EQ(answer["choices"][0]["logprobs"]["tokens"].size(), 4u);
    const std::shared_ptr<Model> model = Model::load(options.model);
    body["prompt"] = model->render_plain("The sky is").tokens;
    const json tokens = json::parse(server->post("/v1/completions", body.dump())->body);
    EXPECT_EQ(tokens["choices"][0]["text"], answer["choices"][0]["text"]);
}

TEST_F(ServerModel, WhatIsWrongIsRefusedAndTheServerStaysUp) {
    const auto chat = [](const std::string & body) {
        return server->post("/v1/chat/completions", body);
    };
    refused(400, "the body is not JSON", chat("{\"messages\": ["));
    refused(400, "the body is not JSON", chat(""));
    refused(400, "not UTF-8", chat("{\"messages\": \"\xFF\"}"));
    refused(400, "the body must be a JSON object", chat(std::string(50'000, '[') + std::string(50'000, ']')));
    refused(400, "messages must be a list", chat("{}"));
    refused(413, "larger than 200000 bytes", chat(std::string(300'000, ' ')));
    refused(404, "there is no model \"gpt-4\"", server->chat(ask("Hi", 2, {{"model", "gpt-4"}})));
    refused(400, "unknown field temprature", server->chat(ask("Hi", 2, {{"temprature", 1}})));
    refused(400, "temperature is -1", server->chat(ask("Hi", 2, {{"temperature", -1}})));
    refused(400, "tools is not supported", server->chat(ask("Hi", 2, {{"tools", {{{"type", "function"}}}}})));
    refused(400, "response_format is not supported",
            server->chat(ask("Hi", 2, {{"response_format", {{"type", "json_object"}}}})));
    refused(400, "this server gives up to 2048", server->chat(ask("Hi", 4000)));
    refused(400, "does not fit the context of 512", server->chat(ask(std::string(4000, 'x') + " y", 300)));
    refused(400, "without --monitor", server->chat(ask("Hi", 2, {{"monitor", {{"per_token", true}}}})));
    refused(400, "n is 99", server->chat(ask("Hi", 2, {{"n", 99}})));
    refused(400, "only text models",
            server->chat({{"messages", {{{"role", "user"}, {"content", {{{"type", "image_url"}}}}}}}}));
    refused(400, "the last message is the assistant's",
            server->chat({{"messages", {{{"role", "assistant"}, {"content", "Hi"}}}}}));
    refused(400, "there is no source \"../outside.safetensors\"",
            server->chat(ask("Hi", 2, steer("care/shared", 1, {{"source", "../outside.safetensors"}}))));
    refused(400, "there is no source",
            server->chat(ask("Hi", 2, steer("care/shared", 1, {{"source", "/etc/passwd"}}))));
    refused(400, "has no tensor", server->chat(ask("Hi", 2, steer("envy/shared", 1))));
    refused(404, "there is no GET /v1/nothing", server->client().Get("/v1/nothing"));
    refused(404, "there is no model", server->client().Get("/v1/models/other"));
    refused(415, "application/json", server->client().Post("/v1/chat/completions", "{}", "text/plain"));
    for (const char * host : {"evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80"}) {
        httplib::Client elsewhere = server->client();
        elsewhere.set_default_headers({{"Host", host}});
        refused(403, "names another machine", elsewhere.Get("/v1/models"));
    }
    // Valid, and longer than the context can be: refused before it is tokenized.
    refused(400, "bytes", server->chat(ask(std::string(190'000, 'x'), 2)));
    refused(400, "1000 prompts",
            server->post("/v1/completions", json{{"prompt", std::vector<std::string>(1000, "Hi")}}.dump()));
    EXPECT_FALSE(text_of(server->chat(ask("Hi", 2))).empty());
    EXPECT_EQ(server->metric("valuelens_responses_running"), 0);
    EXPECT_EQ(server->metric("valuelens_responses_waiting"), 0);
}

TEST_F(ServerModel, SaysWhatItOffers) {
    EXPECT_EQ(server->get("/health")["status"], "ok");
    const json models = server->get("/v1/models");
    EXPECT_EQ(models["data"][0]["id"], "smollm2-135m-f32");
    EXPECT_EQ(server->get("/v1/models/smollm2-135m-f32")["meta"]["n_layer"], 30);
    const json steering = server->get("/v1/steering");
    ASSERT_EQ(steering["sources"].size(), 2u);
    EXPECT_EQ(steering["sources"][0]["source"], "axes.safetensors");
    EXPECT_EQ(steering["sources"][0]["keys"][0], (json{{"key", "care/shared"}, {"layers", "0-29"}}));
    EXPECT_EQ(steering["sources"][0]["units"], json({"raw", "resid"}));
    EXPECT_TRUE(steering["monitor"].is_null());
    EXPECT_EQ(steering.dump().find(folder->path().string()), std::string::npos);
    EXPECT_GT(server->metric("process_resident_memory_bytes"), 1e6);
}

TEST_F(ServerModel, ThePageIsWholeAndCallsNobodyElse) {
    for (const char * path : {"/", "/page.js", "/page.css"}) {
        const auto result = server->client().Get(path);
        ASSERT_TRUE(result);
        EXPECT_EQ(result->status, 200);
        EXPECT_GT(result->body.size(), 500u) << path;
        EXPECT_EQ(result->body.find("http:"), std::string::npos) << path;
        EXPECT_EQ(result->body.find("https:"), std::string::npos) << path;
        EXPECT_THAT(result->get_header_value("Content-Security-Policy"), HasSubstr("default-src 'none'"));
    }
    EXPECT_THAT(server->client().Get("/")->body, HasSubstr("<label"));
}

TEST_F(ServerModel, AClientThatGoesAwayFreesItsSlot) {
    ServeOptions one = options;
    one.scheduler.parallel = 1;
    RunningServer small(one);
    for (const bool stream : {true, false}) {
        const double before = small.metric("valuelens_responses_cancelled_total");
        httplib::Client client = small.client();
        if (stream) {
            std::size_t received = 0;
            httplib::Request request;
            request.method = "POST";
            request.path = "/v1/chat/completions";
            request.set_header("Content-Type", "application/json");
            request.body = ask("Tell me a very long story.", 400, {{"stream", true}}).dump();
            request.content_receiver = [&](const char *, std::size_t n, std::size_t, std::size_t) {
                received += n;
                return received < 600;
            };
            EXPECT_FALSE(client.send(request));
        } else {
            client.set_read_timeout(0, 300'000);
            EXPECT_FALSE(
                client.Post("/v1/chat/completions", ask("Tell me a very long story.", 400).dump(), "application/json"));
        }
        // With one slot the next answer can only come when that slot is free; the long one would not have ended.
        EXPECT_FALSE(text_of(small.chat(ask("Hi", 2))).empty());
        EXPECT_EQ(small.metric("valuelens_responses_cancelled_total"), before + 1);
    }
}

TEST_F(ServerModel, WhereTheQueueIsFullClientsAreToldWhenToComeBack) {
    ServeOptions one = options;
    one.scheduler.parallel = 1;
    one.queue = 1;
    RunningServer small(one);
    std::atomic<int> started{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i) {
        threads.emplace_back([&] {
            httplib::Client client = small.client();
            httplib::Request request;
            request.method = "POST";
            request.path = "/v1/chat/completions";
            request.set_header("Content-Type", "application/json");
            request.body = ask("Tell me a very long story.", 400, {{"stream", true}}).dump();
            request.content_receiver = [&](const char *, std::size_t, std::size_t, std::size_t) {
                ++started;
                return started < 1000;
            };
            client.send(request);
        });
    }
    while (started < 2) { // one is written, the other said that it begins and waits
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    const auto third = small.chat(ask("Hi", 2));
    refused(429, "try again later", third);
    EXPECT_GE(std::stoi(third->get_header_value("Retry-After")), 1);
    refused(429, "try again later", small.chat(ask("Hi", 2, {{"n", 2}})));
    started = 1000; // the two go away
    for (std::thread & thread : threads) {
        thread.join();
    }
    EXPECT_FALSE(text_of(small.chat(ask("Hi", 2))).empty());
}

TEST_F(ServerModel, AsksForItsKey) {
    ServeOptions locked = options;
    locked.api_key = "a-secret";
    RunningServer keyed(locked);
    refused(401, "missing or wrong", keyed.chat(ask("Hi", 2)));
    for (const char * wrong : {"Bearer a-secret2", "Bearer", "Bearer a-secreT", "a-secret", "Basic a-secret"}) {
        refused(401, "missing or wrong",
                keyed.post("/v1/chat/completions", ask("Hi", 2).dump(), {{"Authorization", wrong}}));
    }
    refused(401, "missing or wrong", keyed.client().Get("/metrics"));
    refused(401, "missing or wrong", keyed.client().Get("/v1/steering"));
    refused(401, "missing or wrong", keyed.client().Get("/v1/models"));
    refused(401, "missing or wrong", keyed.post("/v1/completions", R"({"prompt": "Hi", "max_tokens": 2})"));
    EXPECT_FALSE(
        text_of(keyed.post("/v1/chat/completions", ask("Hi", 2).dump(), {{"Authorization", "Bearer a-secret"}}))
            .empty());
    EXPECT_EQ(keyed.client().Get("/health")->status, 200);
    EXPECT_EQ(keyed.client().Get("/")->status, 200);
}

/// A client in a thread of its own that takes a stream in.
class StreamingClient {
public:
    StreamingClient(const RunningServer & server, const json & body) {
        thread_ = std::thread([this, &server, text = body.dump()] {
            httplib::Client http = server.client();
            httplib::Request request;
            request.method = "POST";
            request.path = "/v1/chat/completions";
            request.set_header("Content-Type", "application/json");
            request.body = text;
            request.content_receiver = [this](const char * data, std::size_t n, std::size_t, std::size_t) {
                received_.append(data, n);
                started_ = true;
                return true;
            };
            whole_ = static_cast<bool>(http.send(request));
        });
    }
    void wait_for_the_first_event() const {
        while (!started_) {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
    }
    /// All that came, when the server has ended it.
    const std::string & join() {
        thread_.join();
        return received_;
    }
    bool whole() const { return whole_; }

private:
    std::thread thread_;
    std::atomic<bool> started_{false};
    std::string received_;
    bool whole_ = false;
};

TEST_F(ServerModel, StoppingFinishesWhatIsInFlight) {
    RunningServer stopping(options);
    StreamingClient client(stopping, ask("Tell me a story.", 20, {{"stream", true}}));
    client.wait_for_the_first_event();
    const ServeResult result = stopping.stop();
    bool done = false;
    test::events_of(client.join(), done);
    EXPECT_TRUE(client.whole());
    EXPECT_TRUE(done) << "the answer was finished";
    EXPECT_EQ(result.live.finished, 1u);
    EXPECT_FALSE(stopping.client().Get("/health")) << "nobody listens any more";
}

TEST_F(ServerModel, StoppingEndsWhatTakesTooLong) {
    ServeOptions hasty = options;
    hasty.grace_seconds = 0;
    RunningServer stopping(hasty);
    StreamingClient client(stopping, ask("Tell me a story.", 450, {{"stream", true}}));
    client.wait_for_the_first_event();
    const ServeResult result = stopping.stop();
    EXPECT_EQ(result.live.finished, 0u);
    bool done = false;
    const std::vector<json> events = test::events_of(client.join(), done);
    ASSERT_FALSE(events.empty());
    EXPECT_EQ(events.back()["error"]["code"], "shutting_down");
}

class MonitoredServer : public ServerModel {
protected:
    /// Thresholds that all or none exceed.
    static std::filesystem::path thresholds(const std::string & name, double limit) {
        const ModelInfo info = read_model_info(options.model.path);
        const Watch watch = load_watch({*folder / "sources/axes.safetensors", {}, std::nullopt}, info);
        WatchThresholds thresholds;
        thresholds.names = watch.names;
        thresholds.limits.assign(watch.names.size(), {limit, limit, limit});
        thresholds.guard = {"compliance"};
        thresholds.window = 4;
        thresholds.digest = watch.digest;
        write_thresholds(*folder / name, thresholds);
        return *folder / name;
    }
    static ServeOptions monitored(double limit, Defend defend) {
        ServeOptions given = options;
        given.monitor = WatchOptions{*folder / "sources/axes.safetensors", {}, std::nullopt};
        given.thresholds = thresholds("thresholds.json", limit);
        given.defend = defend;
        return given;
    }
    static json choice_of(const httplib::Result & result) {
        text_of(result);
        return json::parse(result->body)["choices"][0];
    }
};

TEST_F(MonitoredServer, ReportsMeansTokensAndFlags) {
    RunningServer watching(monitored(-1e9, Defend::off));
    EXPECT_EQ(watching.get("/v1/steering")["monitor"]["directions"],
              json({"compliance", "care/shared", "power/shared"}));
    const json choice = choice_of(watching.chat(ask("Name a colour.", 6, {{"monitor", {{"per_token", true}}}})));
    const json & compliance = choice["monitor"]["directions"]["compliance"];
    ASSERT_EQ(compliance["tokens"].size(), 6u);
    double mean = 0;
    for (const json & token : compliance["tokens"]) {
        mean += token.get<double>() / 6;
    }
    EXPECT_NEAR(compliance["mean"].get<double>(), mean, 1e-5);
    EXPECT_EQ(compliance["exceeds"], true);
    EXPECT_EQ(choice["monitor"]["flagged"], true);
    EXPECT_EQ(choice["monitor"]["defended"], false);
    EXPECT_EQ(choice["monitor"]["layers"], json({15}));
    EXPECT_EQ(choice["message"]["content"], text_of(server->chat(ask("Name a colour.", 6))))
        << "watching changes nothing";
    EXPECT_EQ(watching.metric("valuelens_responses_flagged_total"), 1);
}

TEST_F(MonitoredServer, FlaggedDraftsAreWrittenAnewAndNothingOfThemIsSent) {
    const json ablated = {
        {"steering",
         {{"vectors", json::array({{{"source", "axes.safetensors"}, {"key", "compliance"}, {"mode", "ablate"}}})}}}};
    const std::string plain = text_of(server->chat(ask("What matters in life?", 12)));
    const std::string defended = text_of(server->chat(ask("What matters in life?", 12, ablated)));
    EXPECT_NE(plain, defended);
    {
        RunningServer wary(monitored(-1e9, Defend::flagged));
        for (const int n : {12, 3}) { // longer and shorter than the window
            const json choice = choice_of(wary.chat(ask("What matters in life?", n)));
            EXPECT_EQ(choice["monitor"]["defended"], true);
            EXPECT_EQ(choice["monitor"]["draft"]["tokens"], std::min(n, 4));
            if (n == 12) {
                EXPECT_EQ(choice["message"]["content"], defended);
                EXPECT_NEAR(choice["monitor"]["directions"]["compliance"]["mean"].get<double>(), 0, 1e-3)
                    << "what is taken out is not there";
            }
        }
        bool done = false;
        std::string text;
        for (const json & event :
             test::events_of(wary.chat(ask("What matters in life?", 12, {{"stream", true}}))->body, done)) {
            text += event["choices"][0]["delta"].value("content", "");
        }
        EXPECT_EQ(text, defended);
        EXPECT_EQ(wary.metric("valuelens_responses_rewritten_total"), 3);
    }
    {
        RunningServer calm(monitored(1e9, Defend::flagged));
        const json choice = choice_of(calm.chat(ask("What matters in life?", 12)));
        EXPECT_EQ(choice["monitor"]["defended"], false);
        EXPECT_FALSE(choice["monitor"].contains("draft"));
        EXPECT_EQ(choice["message"]["content"], plain);
    }
    {
        RunningServer strict(monitored(1e9, Defend::all));
        const json choice = choice_of(strict.chat(ask("What matters in life?", 12)));
        EXPECT_EQ(choice["monitor"]["defended"], true);
        EXPECT_EQ(choice["message"]["content"], defended);
    }
}

} // namespace
} // namespace valuelens
