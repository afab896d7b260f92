#pragma once

#include <cpp-httplib/httplib.h>

#include <nlohmann/json.hpp>

#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include "serve/server.h"

namespace valuelens::test {

/// A server on a free port of the loopback, and clients of it.
class RunningServer {
public:
    explicit RunningServer(ServeOptions options) {
        options.port = 0;
        server_ = std::make_unique<Server>(options);
        thread_ = std::thread([this] { result_ = server_->run(stop_.get_token()); });
    }
    ~RunningServer() { stop(); }

    ServeResult stop() {
        stop_.request_stop();
        if (thread_.joinable()) {
            thread_.join();
        }
        return result_;
    }

    int port() const { return server_->port(); }

    httplib::Client client() const {
        httplib::Client client("127.0.0.1", server_->port());
        client.set_read_timeout(120, 0);
        return client;
    }

    httplib::Result post(const std::string & path, const std::string & body,
                         const httplib::Headers & headers = {}) const {
        return client().Post(path, headers, body, "application/json");
    }
    httplib::Result chat(const nlohmann::json & body) const { return post("/v1/chat/completions", body.dump()); }

    nlohmann::json get(const std::string & path) const {
        const auto result = client().Get(path);
        return result && result->status == 200 ? nlohmann::json::parse(result->body) : nlohmann::json();
    }

    /// The number behind a metric's name.
    double metric(const std::string & name) const {
        const auto result = client().Get("/metrics");
        const std::size_t at = result ? result->body.find("\n" + name + " ") : std::string::npos;
        return at == std::string::npos ? -1 : std::stod(result->body.substr(at + name.size() + 2));
    }

private:
    std::unique_ptr<Server> server_;
    std::stop_source stop_;
    ServeResult result_;
    std::thread thread_;
};

/// The JSON of each event of a stream, without [DONE], which must come last.
inline std::vector<nlohmann::json> events_of(const std::string & body, bool & done) {
    std::vector<nlohmann::json> events;
    std::size_t at = 0;
    done = false;
    for (std::size_t end = 0; (end = body.find("\n\n", at)) != std::string::npos; at = end + 2) {
        const std::string event = body.substr(at, end - at);
        done = event == "data: [DONE]";
        if (!done && event.starts_with("data: ")) {
            events.push_back(nlohmann::json::parse(event.substr(6)));
        }
    }
    return events;
}

} // namespace valuelens::test
