#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

namespace valuelens {

/// A server's address: "http[s]://host[:port][/path]".
struct ServerUrl {
    std::string origin; ///< scheme, host and port
    std::string path;   ///< of the API, "/v1" where the text has none; without a slash at the end
    bool encrypted = false;
    bool local = false; ///< this machine
};

/// Reads an address; a /chat/completions at its end is taken off. Throws Error(usage) that names `what` (a config key)
/// for any other scheme, a user or password in it (keys come from the environment alone), a query, a fragment, or a
/// port that is no number from 1 to 65535.
ServerUrl parse_server_url(const std::string & text, const std::string & what);

struct HttpReply {
    int status = 0; ///< 0: there was no answer, see `problem`
    std::string body;
    std::string retry_after; ///< header; empty: none
    std::string problem;     ///< "connection refused or not reached", "timed out", ...
    bool hopeless = false;   ///< the problem will not go away by trying again (a certificate)
};

struct HttpOptions {
    std::chrono::milliseconds connect_timeout{10000};
    std::chrono::milliseconds timeout{120000}; ///< of a whole request, reading included
    std::size_t max_body = 16u << 20;          ///< bytes; a longer answer is a problem
    std::string authorization;                 ///< value of the header; empty: not sent
};

/// A connection that is kept open between requests. Redirects are not followed: they could carry the key elsewhere. One
/// request at a time; stop() may be called from another thread.
class HttpConnection {
public:
    HttpConnection(const ServerUrl & url, const HttpOptions & options);
    ~HttpConnection();
    HttpConnection(const HttpConnection &) = delete;
    HttpConnection & operator=(const HttpConnection &) = delete;

    HttpReply get(const std::string & path);
    HttpReply post_json(const std::string & path, const std::string & body);

    /// Breaks off the request that is under way; it returns with a problem. Without one, nothing happens.
    void stop();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace valuelens
