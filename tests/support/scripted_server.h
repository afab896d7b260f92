#pragma once

#include <cpp-httplib/httplib.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

namespace valuelens::test {

/// A chat completion as OpenAI-compatible servers give it.
inline nlohmann::json completion(const std::string & content, const std::string & model = "m",
                                 const nlohmann::json & top_logprobs = nullptr) {
    nlohmann::json choice = {{"index", 0},
                             {"finish_reason", "stop"},
                             {"message", {{"role", "assistant"}, {"content", content}}},
                             {"logprobs", nullptr}};
    if (!top_logprobs.is_null()) {
        choice["logprobs"] = {{"content", {{{"token", content}, {"logprob", -0.1}, {"top_logprobs", top_logprobs}}}}};
    }
    return {{"id", "c"},
            {"object", "chat.completion"},
            {"model", model},
            {"choices", {choice}},
            {"usage", {{"prompt_tokens", 10}, {"completion_tokens", 2}, {"total_tokens", 12}}}};
}

/// An HTTP server on 127.0.0.1 that does what the test says, badly behaved or not.
class ScriptedServer {
public:
    /// `call` counts the chat requests from 0.
    using Chat = std::function<void(const nlohmann::json & body, httplib::Response & response, int call)>;

    explicit ScriptedServer(Chat chat, std::vector<std::string> models = {"m"}) : chat_(std::move(chat)) {
        server_.Get("/v1/models", [this, models](const httplib::Request & request, httplib::Response & response) {
            authorization_ = request.get_header_value("Authorization");
            nlohmann::json data = nlohmann::json::array();
            for (const std::string & model : models) {
                data.push_back({{"id", model}, {"object", "model"}});
            }
            response.set_content(nlohmann::json({{"object", "list"}, {"data", data}}).dump(), "application/json");
        });
        server_.Post("/v1/chat/completions", [this](const httplib::Request & request, httplib::Response & response) {
            const int call = calls_++;
            chat_(nlohmann::json::parse(request.body), response, call);
        });
        server_.set_keep_alive_timeout(1);
        port_ = server_.bind_to_any_port("127.0.0.1");
        thread_ = std::thread([this] { server_.listen_after_bind(); });
        server_.wait_until_ready();
    }
    ~ScriptedServer() {
        closing_ = true;
        server_.stop();
        thread_.join();
    }
    ScriptedServer(const ScriptedServer &) = delete;
    ScriptedServer & operator=(const ScriptedServer &) = delete;

    std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/v1"; }
    int calls() const { return calls_; }
    std::string authorization() const { return authorization_; }

    static void answer(httplib::Response & response, const nlohmann::json & body) {
        response.set_content(body.dump(), "application/json");
    }
    static void fail(httplib::Response & response, int status, const std::string & message,
                     const std::string & retry_after = "") {
        response.status = status;
        if (!retry_after.empty()) {
            response.set_header("Retry-After", retry_after);
        }
        answer(response, {{"error", {{"message", message}}}});
    }
    /// Says that a thousand bytes follow, gives a few and hangs up.
    static void cut_off(httplib::Response & response) {
        response.set_content_provider(1000, "application/json",
                                      [](std::size_t offset, std::size_t, httplib::DataSink & sink) {
                                          return offset == 0 && sink.write("{\"choices\"", 10);
                                      });
    }
    static void endless(httplib::Response & response) {
        response.set_chunked_content_provider("application/json", [](std::size_t, httplib::DataSink & sink) {
            static const std::string blanks(4096, ' ');
            return sink.write(blanks.data(), blanks.size());
        });
    }
    /// Says nothing until the server is taken down.
    void hang() const {
        using namespace std::chrono_literals;
        while (!closing_) {
            std::this_thread::sleep_for(5ms);
        }
    }

private:
    Chat chat_;
    std::atomic<int> calls_ = 0;
    std::atomic<bool> closing_ = false;
    std::string authorization_;
    httplib::Server server_;
    int port_ = 0;
    std::thread thread_;
};

} // namespace valuelens::test
