#include "report/live.h"

#include <sys/socket.h>

#include <cpp-httplib/httplib.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include "base/fail.h"
#include "report/model.h"
#include "report/page.h"
#include "valuelens/run.h"

namespace valuelens {

namespace {

constexpr const char * loopback = "127.0.0.1";
constexpr const char * json_type = "application/json";

/// "localhost:8090" -> "localhost".
bool names_this_machine(const std::string & header) {
    const std::string host = header.substr(0, header.find(':'));
    return host == loopback || host == "localhost";
}

} // namespace

struct LiveReport::Impl {
    Impl(const ReportRequest & given, int wanted) : request(given) {
        http.set_socket_options([](socket_t socket) {
            const int yes = 1;
            ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        });
        http.set_default_headers({{"X-Content-Type-Options", "nosniff"}, {"Cache-Control", "no-store"}});
        http.set_keep_alive_timeout(1); // connections that idle must not hold up the end
        http.new_task_queue = [] {
            return new httplib::ThreadPool(4);
        };
        revise();
        port = wanted == 0 ? http.bind_to_any_port(loopback) : http.bind_to_port(loopback, wanted) ? wanted : -1;
        if (port < 0) {
            fail(ErrorKind::judge, "{}:{} cannot be bound; is another server on that port?", loopback, wanted);
        }
        get("/", "text/html; charset=utf-8", [this] { return report_page(current(), true); });
        get("/model.json", json_type, [this] { return dump(current()); });
        get("/state.json", json_type, [this] { return state(); });
        http.set_logger([this](const httplib::Request &, const httplib::Response &) { ++answered; });
    }

    template <typename Make>
    void get(const char * path, const char * type, Make make) {
        http.Get(path, [type, make](const httplib::Request & asked, httplib::Response & response) {
            // A page of another site whose name was made to point here must not read the run.
            if (!names_this_machine(asked.get_header_value("Host"))) {
                response.status = 403;
                response.set_content("the Host header names another machine", "text/plain");
                return;
            }
            try {
                response.set_content(make(), type);
            } catch (const std::exception & error) {
                response.status = 500;
                response.set_content(error.what(), "text/plain; charset=utf-8");
            }
        });
    }

    /// Makes the model anew if the run has moved on.
    void revise() {
        const std::string now = report_revision(request.run);
        if (now != revision) {
            model = report_model(request);
            revision = now;
        }
    }

    Json current() {
        const std::lock_guard lock(mutex);
        revise();
        return model;
    }

    std::string state() {
        const std::lock_guard lock(mutex);
        const RunStatus status = run_status(request.run);
        return dump({{"revision", report_revision(request.run)},
                     {"slices_planned", status.slices_planned},
                     {"slices_generated", status.slices_generated},
                     {"slices_judged", status.slices_judged},
                     {"responses", status.intrinsic + status.prompted},
                     {"next", status.next},
                     {"events", status.events}});
    }

    ReportRequest request;
    int port = -1;
    std::mutex mutex;
    std::string revision;
    Json model;
    std::atomic<std::uint64_t> answered{0};
    httplib::Server http; ///< goes first: its handlers use what stands above
};

LiveReport::LiveReport(const ReportRequest & request, int port) : impl_(std::make_unique<Impl>(request, port)) {}

LiveReport::~LiveReport() = default;

int LiveReport::port() const {
    return impl_->port;
}

std::uint64_t LiveReport::run(std::stop_token stop) {
    std::atomic<bool> ended{false};
    std::thread watcher([&] {
        // Stopping a server that does not listen yet does nothing, so it is said until it has ended.
        while (!ended) {
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
            if (stop.stop_requested()) {
                impl_->http.stop();
            }
        }
    });
    const bool clean = impl_->http.listen_after_bind();
    ended = true;
    watcher.join();
    if (!clean && !stop.stop_requested()) {
        fail(ErrorKind::judge, "the port {} was lost; start the command again", impl_->port);
    }
    return impl_->answered;
}

} // namespace valuelens
