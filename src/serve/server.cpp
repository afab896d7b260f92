#include "serve/server.h"

#include <sys/socket.h>

#include <cpp-httplib/httplib.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "base/embedded.h"
#include "base/fail.h"
#include "base/host.h"
#include "serve/service.h"

namespace valuelens {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using HttpRequest = httplib::Request;
using HttpResponse = httplib::Response;

constexpr const char * json_type = "application/json";
constexpr auto look_for_client_every = 250ms;
constexpr auto ping_every = 10s;          // so that proxies and clients see that a stream lives
constexpr std::size_t spare_threads = 64; // for short requests and idle connections beside the answers being written
constexpr const char * page_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page and what says whether the server lives: no secrets, and a browser cannot send a key for them.
const std::set<std::string> open_paths = {"/", "/page.js", "/page.css", "/health"};
const std::set<std::string> counted_paths = {"/",
                                             "/page.js",
                                             "/page.css",
                                             "/health",
                                             "/metrics",
                                             "/v1/models",
                                             "/v1/chat/completions",
                                             "/v1/completions",
                                             "/v1/steering"};

/// "example.org:8080" -> "example.org", "[::1]:8080" -> "::1".
std::string host_name(const std::string & header) {
    if (header.starts_with('[')) {
        return header.substr(1, header.find(']') - 1);
    }
    return header.substr(0, header.find(':'));
}

/// In a time that does not depend on where the texts differ.
bool same_secret(const std::string & given, const std::string & expected) {
    unsigned char difference = given.size() == expected.size() ? 0 : 1;
    for (std::size_t i = 0; i < given.size(); ++i) {
        difference |= static_cast<unsigned char>(given[i] ^ expected[i % expected.size()]);
    }
    return difference == 0;
}

void answer_with(HttpResponse & response, const ApiError & error) {
    response.status = error.status();
    if (error.retry_after > 0) {
        response.set_header("Retry-After", std::to_string(error.retry_after));
    }
    if (error.status() == 401) {
        response.set_header("WWW-Authenticate", "Bearer");
    }
    response.set_content(error.json(), json_type);
}

/// What the library says by itself, before a handler of ours was reached.
std::string plain_problem(const HttpRequest & request, int status, std::size_t max_body) {
    switch (status) {
    case 404:
        return fmt::format("there is no {} {} here", request.method, request.path.substr(0, 200));
    case 413:
        return fmt::format("the body is larger than {} bytes (--max-body)", max_body);
    case 414:
        return "the address is too long";
    default:
        return status < 500 ? "the HTTP request is malformed" : "the server failed";
    }
}

} // namespace

struct Server::Impl {
    Impl(const ServeOptions & given, ProgressSink & sink, std::stop_token stop)
        : options(given), progress(sink), loopback(is_loopback_host(given.host)) {
        set_limits();
        // Not the library's choice, SO_REUSEPORT: two servers on one port would share its clients.
        http.set_socket_options([](socket_t socket) {
            const int yes = 1;
            ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        });
        port = options.port == 0                               ? http.bind_to_any_port(options.host)
               : http.bind_to_port(options.host, options.port) ? options.port
                                                               : -1;
        if (port < 0) {
            fail(ErrorKind::judge, "{}:{} cannot be bound; is another server on that port?", options.host,
                 options.port);
        }
        service = std::make_unique<Service>(options, progress, std::move(stop));
        set_threads();
        add_checks();
        add_routes();
    }

    void set_limits() {
        http.set_payload_max_length(options.max_body);
        http.set_tcp_nodelay(true);
        http.set_read_timeout(10, 0);
        http.set_write_timeout(10, 0);
        http.set_keep_alive_timeout(5);
        http.set_default_headers({{"X-Content-Type-Options", "nosniff"}, {"Cache-Control", "no-store"}});
    }

    void set_threads() {
        const std::size_t most = service->room() + spare_threads;
        http.new_task_queue = [most] {
            return new httplib::ThreadPool(std::min<std::size_t>(8, most), most, /* waiting connections */ 1024);
        };
    }

    void add_checks() {
        http.set_error_handler([this](const HttpRequest & request, HttpResponse & response) {
            if (response.body.empty()) {
                answer_with(response,
                            ApiError(response.status, plain_problem(request, response.status, options.max_body)));
            }
        });
        http.set_logger([this](const HttpRequest & request, const HttpResponse & response) {
            const bool known = counted_paths.count(request.path) != 0;
            service->metrics().count_request(known ? request.path : "other", response.status);
            ++answered;
            progress.message(LogLevel::debug, fmt::format("{} {} {}", request.method,
                                                          known ? request.path : "(other path)", response.status));
        });
    }

    void check(const HttpRequest & request) const {
        // A page of another site whose name was made to point here must not reach a server that trusts its machine.
        const std::string host = host_name(request.get_header_value("Host"));
        if (loopback && !is_loopback_host(host) && host != options.host) {
            throw ApiError(403, "the Host header names another machine; this server answers its own machine alone");
        }
        if (!options.api_key.empty() && open_paths.count(request.path) == 0) {
            const std::string header = request.get_header_value("Authorization");
            const bool bearer = header.starts_with("Bearer ");
            if (!bearer || !same_secret(header.substr(7), options.api_key)) {
                throw ApiError(401, "the API key is missing or wrong; send it as \"Authorization: Bearer KEY\"", {},
                               "invalid_api_key");
            }
        }
        // A form of another site can send text/plain or a form's type without asking, JSON it cannot.
        if (request.method == "POST" && !request.get_header_value("Content-Type").starts_with(json_type)) {
            throw ApiError(415, "send the body as \"Content-Type: application/json\"");
        }
    }

    template <typename Handler>
    auto guarded(Handler handler) {
        return [this, handler](const HttpRequest & request, HttpResponse & response) {
            try {
                // Here and not before the body was read: a client that is still sending would see its connection break
                // and no answer.
                check(request);
                handler(request, response);
            } catch (const ApiError & error) {
                answer_with(response, error);
            } catch (const Error & error) {
                answer_with(response, to_api_error(error, false));
            } catch (const std::exception & error) {
                answer_with(response, ApiError(500, error.what()));
            }
        };
    }

    void add_routes() {
        const auto page = [this](const char * path, const char * file, const char * type) {
            http.Get(path, guarded([file, type](const HttpRequest &, HttpResponse & response) {
                         const auto contents = find_embedded(file);
                         if (!contents) {
                             throw ApiError(404, "the page is not part of this build");
                         }
                         response.set_header("Content-Security-Policy", page_policy);
                         response.set_content(std::string(*contents), type);
                     }));
        };
        page("/", "serve/index.html", "text/html; charset=utf-8");
        page("/page.js", "serve/page.js", "text/javascript; charset=utf-8");
        page("/page.css", "serve/page.css", "text/css; charset=utf-8");
        http.Get("/health", guarded([this](const HttpRequest &, HttpResponse & response) {
                     response.status = service->is_draining() ? 503 : 200;
                     response.set_content(
                         service->is_draining() ? R"({"status":"shutting down"})" : R"({"status":"ok"})", json_type);
                 }));
        http.Get("/metrics", guarded([this](const HttpRequest &, HttpResponse & response) {
                     response.set_content(service->metrics_text(), "text/plain; version=0.0.4; charset=utf-8");
                 }));
        http.Get("/v1/models", guarded([this](const HttpRequest &, HttpResponse & response) {
                     response.set_content(service->models(), json_type);
                 }));
        http.Get("/v1/models/(.+)", guarded([this](const HttpRequest & request, HttpResponse & response) {
                     response.set_content(service->model(request.matches[1]), json_type);
                 }));
        http.Get("/v1/steering", guarded([this](const HttpRequest &, HttpResponse & response) {
                     response.set_content(service->steering(), json_type);
                 }));
        for (const auto & [path, endpoint] :
             {std::pair("/v1/chat/completions", Endpoint::chat), std::pair("/v1/completions", Endpoint::completions)}) {
            http.Post(path, guarded([this, endpoint = endpoint](const HttpRequest & request, HttpResponse & response) {
                          answer(endpoint, request, response);
                      }));
        }
    }

    void answer(Endpoint endpoint, const HttpRequest & request, HttpResponse & response) {
        std::shared_ptr<Answer> answer = service->begin(endpoint, request.body);
        if (answer->request.stream) {
            stream(std::move(answer), response);
            return;
        }
        Clock::time_point looked = Clock::now();
        while (!answer->generation->done()) {
            if (auto delta = service->next(*answer, look_for_client_every)) {
                answer->response->take(std::move(*delta));
            }
            if (Clock::now() - looked >= look_for_client_every) {
                looked = Clock::now();
                if (request.is_connection_closed()) {
                    throw ApiError(499, "the client went away"); // nobody reads this; the slot is free again
                }
            }
        }
        service->finished(*answer);
        response.set_content(answer->response->whole(answer->generation->usage()), json_type);
    }

    void stream(std::shared_ptr<Answer> answer, HttpResponse & response) {
        response.set_header("X-Accel-Buffering", "no");
        const auto begun = std::make_shared<bool>(false);
        const auto written = std::make_shared<Clock::time_point>(Clock::now());
        response.set_chunked_content_provider(
            "text/event-stream", [this, answer, begun, written](std::size_t, httplib::DataSink & sink) {
                const auto write = [&](const std::string & text) {
                    *written = Clock::now();
                    return text.empty() || sink.write(text.data(), text.size());
                };
                try {
                    if (!std::exchange(*begun, true) && !write(answer->response->begin())) {
                        return false;
                    }
                    const auto delta = service->next(*answer, look_for_client_every);
                    if (delta && !write(answer->response->event(*delta))) {
                        return false;
                    }
                    if (answer->generation->done()) {
                        service->finished(*answer);
                        write(answer->response->finish(answer->generation->usage()));
                        sink.done();
                    } else if (!delta) {
                        return sink.is_writable() && (Clock::now() - *written < ping_every || write(": ping\n\n"));
                    }
                } catch (const ApiError & error) {
                    write(ApiResponse::error_event(error));
                    sink.done();
                } catch (const std::exception & error) {
                    write(ApiResponse::error_event(ApiError(500, error.what())));
                    sink.done();
                }
                return true;
            });
    }

    ServeOptions options;
    ProgressSink & progress;
    bool loopback;
    int port = -1;
    std::unique_ptr<Service> service;
    std::atomic<std::uint64_t> answered{0};
    httplib::Server http; ///< goes first: its handlers use what stands above
};

Server::Server(const ServeOptions & options, ProgressSink & progress, std::stop_token stop)
    : impl_(std::make_unique<Impl>(options, progress, std::move(stop))) {}

Server::~Server() = default;

int Server::port() const {
    return impl_->port;
}

ServeResult Server::run(std::stop_token stop) {
    Impl & impl = *impl_;
    if (!impl.loopback && impl.options.api_key.empty()) {
        impl.progress.message(LogLevel::warning,
                              fmt::format("{} is reachable from other machines and no --api-key is set: anyone there "
                                          "may use the model",
                                          impl.options.host));
    }
    std::mutex mutex;
    std::condition_variable_any ended;
    bool listening = true;
    std::thread watcher([&] {
        std::unique_lock lock(mutex);
        ended.wait(lock, stop, [&] { return !listening; });
        if (!listening) {
            return;
        }
        // The library breaks streams off when it stops listening, so that comes last; requests that come meanwhile are
        // refused.
        impl.service->drain();
        const auto wait_for_answers = [&](std::chrono::seconds patience) {
            for (const auto end = Clock::now() + patience; impl.service->busy() > 0 && Clock::now() < end;) {
                ended.wait_for(lock, 20ms, [&] { return !listening; });
            }
        };
        wait_for_answers(std::chrono::seconds(impl.options.grace_seconds));
        impl.service->abort();
        wait_for_answers(2s);
        impl.http.stop();
    });
    impl.progress.message(
        LogLevel::info, fmt::format("serving {} at http://{}:{} ({} requests at once, {} tokens each); Ctrl-C ends it",
                                    impl.service->model_id(),
                                    impl.options.host.find(':') == std::string::npos ? impl.options.host
                                                                                     : "[" + impl.options.host + "]",
                                    impl.port, impl.service->sequences(), impl.service->context_size()));
    const bool clean = impl.http.listen_after_bind();
    {
        const std::lock_guard lock(mutex);
        listening = false;
    }
    ended.notify_all();
    watcher.join();
    if (!clean && !stop.stop_requested()) {
        fail(ErrorKind::judge, "the server lost its port {}", impl.port);
    }
    return {impl.answered, impl.service->live_stats()};
}

} // namespace valuelens
