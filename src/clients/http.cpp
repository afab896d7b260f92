#include "clients/http.h"

#include <cpp-httplib/httplib.h>
#include <signal.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "base/fail.h"
#include "base/host.h"

namespace valuelens {

namespace {

/// While it lives, writing to a connection that the other side has closed is an error of the call, not the end of the
/// process: SIGPIPE is held back in this thread, and taken away if it came.
class WithoutSigpipe {
public:
    WithoutSigpipe() {
        sigemptyset(&pipe_);
        sigaddset(&pipe_, SIGPIPE);
        sigset_t pending;
        sigpending(&pending);
        pending_before_ = sigismember(&pending, SIGPIPE) == 1;
        pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
    }
    ~WithoutSigpipe() {
        const timespec at_once{};
        if (!pending_before_) {
            sigtimedwait(&pipe_, nullptr, &at_once);
        }
        pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    }
    WithoutSigpipe(const WithoutSigpipe &) = delete;
    WithoutSigpipe & operator=(const WithoutSigpipe &) = delete;

private:
    sigset_t pipe_{};
    sigset_t before_{};
    bool pending_before_ = false;
};

bool is_port(std::string_view text) {
    unsigned port = 0;
    const char * end = text.data() + text.size();
    const auto [stop, problem] = std::from_chars(text.data(), end, port);
    return problem == std::errc() && stop == end && port >= 1 && port <= 65535;
}

} // namespace

ServerUrl parse_server_url(const std::string & text, const std::string & what) {
    ServerUrl url;
    const std::size_t scheme = text.find("://");
    const std::string name = text.substr(0, scheme == std::string::npos ? 0 : scheme);
    if (name != "http" && name != "https") {
        fail(ErrorKind::usage, "{}: '{}' is no address; write http://host:port/v1 or https://...", what, text);
    }
    if (text.find_first_of("@?# \t\r\n") != std::string::npos) {
        fail(ErrorKind::usage,
             "{}: an address is http[s]://host[:port][/path] and nothing else; a key comes from the environment", what);
    }
    url.encrypted = name == "https";
    const std::size_t host = scheme + 3;
    const std::size_t slash = text.find('/', host);
    url.origin = text.substr(0, slash);
    const std::string authority = text.substr(host, slash == std::string::npos ? slash : slash - host);
    if (authority.empty() || authority.front() == ':') {
        fail(ErrorKind::usage, "{}: '{}' names no host; write http://host:port/v1", what, text);
    }
    const bool bracketed = authority.front() == '[';
    const std::size_t host_end = authority.find(bracketed ? ']' : ':');
    if (bracketed && (host_end == std::string::npos || host_end == 1)) {
        fail(ErrorKind::usage, "{}: '{}' names no host; an IPv6 address is written http://[::1]:port/v1", what, text);
    }
    url.local = is_loopback_host(bracketed ? authority.substr(1, host_end - 1) : authority.substr(0, host_end));
    // httplib takes a port that it cannot read for no server at all, and falls over when that is asked.
    const std::string after_host =
        bracketed ? authority.substr(host_end + 1) : authority.substr(std::min(host_end, authority.size()));
    if (!after_host.empty() && (after_host.front() != ':' || !is_port(std::string_view(after_host).substr(1)))) {
        fail(ErrorKind::usage,
             "{}: '{}': the port after the host is to be a number from 1 to 65535; write "
             "http://host:port/v1",
             what, text);
    }
    if (slash != std::string::npos) {
        url.path = text.substr(slash);
    }
    const auto trim = [&] {
        while (!url.path.empty() && url.path.back() == '/') {
            url.path.pop_back();
        }
    };
    trim();
    constexpr std::string_view endpoint = "/chat/completions";
    if (url.path.ends_with(endpoint)) {
        url.path.resize(url.path.size() - endpoint.size());
        trim();
    }
    if (url.path.empty()) {
        url.path = "/v1";
    }
    return url;
}

struct HttpConnection::Impl {
    Impl(const ServerUrl & url, const HttpOptions & options) : client(url.origin) {
        client.set_keep_alive(true);
        client.set_follow_location(false);
        client.set_tcp_nodelay(true);
        client.set_connection_timeout(options.connect_timeout);
        client.set_read_timeout(options.timeout);
        client.set_write_timeout(options.timeout);
        client.set_max_timeout(options.timeout);
        client.set_payload_max_length(options.max_body);
        headers.emplace("Accept", "application/json");
        headers.emplace("User-Agent", "valuelens/" VALUELENS_VERSION);
        if (!options.authorization.empty()) {
            headers.emplace("Authorization", options.authorization);
        }
    }

    static HttpReply reply(const httplib::Result & result) {
        HttpReply reply;
        if (result) {
            reply.status = result->status;
            reply.body = std::move(result->body);
            reply.retry_after = result->get_header_value("Retry-After");
            return reply;
        }
        switch (result.error()) {
        case httplib::Error::Connection:
        case httplib::Error::ConnectionClosed:
            reply.problem = "it cannot be reached";
            break;
        case httplib::Error::ConnectionTimeout:
            reply.problem = "it cannot be reached (no answer in time)";
            break;
        case httplib::Error::Timeout:
            reply.problem = "its answer took too long";
            break;
        case httplib::Error::Read:
            reply.problem = "its answer was cut off or took too long";
            break;
        case httplib::Error::ExceedMaxPayloadSize:
            reply.problem = "its answer does not end";
            break;
        case httplib::Error::SSLServerVerification:
        case httplib::Error::SSLServerHostnameVerification:
        case httplib::Error::SSLLoadingCerts:
            reply.problem = "its certificate cannot be trusted";
            reply.hopeless = true;
            break;
        default:
            reply.problem = httplib::to_string(result.error());
        }
        return reply;
    }

    httplib::Client client;
    httplib::Headers headers;
};

HttpConnection::HttpConnection(const ServerUrl & url, const HttpOptions & options)
    : impl_(std::make_unique<Impl>(url, options)) {}

HttpConnection::~HttpConnection() = default;

HttpReply HttpConnection::get(const std::string & path) {
    const WithoutSigpipe guard;
    return Impl::reply(impl_->client.Get(path, impl_->headers));
}

HttpReply HttpConnection::post_json(const std::string & path, const std::string & body) {
    const WithoutSigpipe guard;
    return Impl::reply(impl_->client.Post(path, impl_->headers, body, "application/json"));
}

void HttpConnection::stop() {
    impl_->client.stop();
}

} // namespace valuelens
