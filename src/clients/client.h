#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "clients/http.h"
#include "clients/retry.h"
#include "clients/service.h"
#include "valuelens/progress.h"

namespace valuelens {

struct ClientOptions {
    std::string url;                                ///< parse_server_url()
    std::string url_name = "url";                   ///< the config key it came from, for sentences
    std::string model;                              ///< empty: the only one that the server offers
    std::string key_variable = "VALUELENS_API_KEY"; ///< environment variable with the key; empty: no key
    int concurrency = 16;                           ///< requests in flight
    std::chrono::milliseconds connect_timeout{10000};
    std::chrono::milliseconds timeout{120000}; ///< of one request
    std::size_t max_body = 16u << 20;          ///< bytes of an answer
    RetryPolicy retry;

    /// Time, for tests. `sleep` returns early, false, on a stop request. Empty: the real thing.
    std::function<bool(std::chrono::milliseconds, std::stop_token)> sleep;
    std::function<std::chrono::system_clock::time_point()> now;
};

/// A client of an OpenAI-compatible server (POST /chat/completions), ready to ask: the server was reached, has taken
/// the key and offers the model (GET /models, where it has that).
///
/// Connection errors, time-outs, answers that are cut off, 408, 409, 425, 429 and 5xx are tried again with exponential
/// back-off and full jitter; a Retry-After holds back all requests of this client. Answers that are no chat completion
/// are tried again a few times. A refused key (401, 403), a wrong address (404), a redirect, a used-up quota, another
/// model than the one asked for, an untrusted certificate: Error(judge) at once. The key appears in no message.
///
/// Not thread-safe.
std::unique_ptr<ChatService> connect_client(ClientOptions options, ProgressSink & progress, std::stop_token stop = {});

} // namespace valuelens
