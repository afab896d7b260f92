#include "cli/interrupt.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <ctime>

#include "base/fail.h"

namespace valuelens {

namespace {

constexpr int stop_now = 130;
constexpr char interrupted = 'i';
constexpr char done = 'd';

// `timeout` and some shells signal a process and its group, so that one request arrives as two.
constexpr std::int64_t same_request_ns = 300'000'000;

std::atomic<int> write_end{-1};
std::atomic<std::int64_t> asked_at{0};

std::int64_t now_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

// Only calls that are safe in a signal handler: a thread does the rest.
void on_signal(int) {
    const std::int64_t now = now_ns();
    std::int64_t first = 0;
    if (!asked_at.compare_exchange_strong(first, now)) {
        if (now - first > same_request_ns) {
            ::_exit(stop_now);
        }
        return;
    }
    const int saved = errno;
    static_cast<void>(!::write(write_end.load(), &interrupted, 1));
    errno = saved;
}

void handle(int number) {
    struct sigaction old {};
    ::sigaction(number, nullptr, &old);
    if (old.sa_handler == SIG_IGN) {
        return;
    }
    struct sigaction action {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    ::sigaction(number, &action, nullptr);
}

} // namespace

InterruptHandler::InterruptHandler() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
        fail(ErrorKind::internal, "no pipe for signals ({})", std::strerror(errno));
    }
    read_end_ = ends[0];
    write_end = ends[1];
    waiter_ = std::thread([this] {
        char what = done;
        while (::read(read_end_, &what, 1) < 0 && errno == EINTR) {
        }
        if (what == interrupted) {
            static constexpr char note[] = "\nstopping; press Ctrl-C again to stop at once\n";
            static_cast<void>(!::write(STDERR_FILENO, note, sizeof note - 1));
            source_.request_stop();
        }
    });
    handle(SIGINT);
    handle(SIGTERM);
}

InterruptHandler::~InterruptHandler() {
    static_cast<void>(!::write(write_end.load(), &done, 1));
    waiter_.join();
}

} // namespace valuelens
