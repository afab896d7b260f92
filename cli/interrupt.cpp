#include "cli/interrupt.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "base/fail.h"

namespace valuelens {

namespace {

constexpr int stop_now = 130;
constexpr char interrupted = 'i';
constexpr char done = 'd';

std::atomic<int> write_end{-1};
std::atomic<bool> asked{false};

// Only calls that are safe in a signal handler: a thread does the rest.
void on_signal(int) {
    if (asked.exchange(true)) {
        ::_exit(stop_now);
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
