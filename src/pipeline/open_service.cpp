#include "pipeline/open_service.h"

#include <cmath>
#include <random>

#include "base/fail.h"
#include "clients/api_key.h"
#include "clients/client.h"

namespace valuelens {

std::unique_ptr<ChatService> open_service(const ServerConfig & server, const std::string & url_name,
                                          ProgressSink & progress, std::stop_token stop) {
    if (server.url.empty()) {
        fail(ErrorKind::usage, "{} is empty: write the server's address, such as http://127.0.0.1:8000/v1", url_name);
    }
    // The variable of the default may be unset, since many servers want no key; one that somebody named was meant to
    // hold it.
    const bool named = !server.api_key_env.empty() && server.api_key_env != ServerConfig{}.api_key_env;
    if (named && api_key(server.api_key_env).empty()) {
        fail(ErrorKind::usage, "{} {}: the environment variable {}, which is to hold the key, is not set", url_name,
             server.url, server.api_key_env);
    }
    ClientOptions options;
    options.url = server.url;
    options.url_name = url_name;
    options.model = server.model;
    options.key_variable = server.api_key_env;
    options.concurrency = static_cast<int>(server.concurrency);
    options.timeout = std::chrono::milliseconds(std::llround(server.timeout_s * 1000));
    options.retry.max_retries = static_cast<int>(server.max_retries);
    options.retry.seed = std::random_device{}(); // machines that share a server must not come back in step
    return connect_client(std::move(options), progress, std::move(stop));
}

TokenPrices prices_of(const ServerConfig & server) {
    return {server.price_prompt, server.price_completion};
}

} // namespace valuelens
