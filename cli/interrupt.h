#pragma once

#include <stop_token>
#include <thread>

namespace valuelens {

/// Turns SIGINT and SIGTERM into a stop request while it lives; the second signal ends the process at once with exit
/// code 130. A signal that was ignored when the process began (nohup, a background job) stays ignored. One at a time.
class InterruptHandler {
public:
    InterruptHandler();
    ~InterruptHandler();
    InterruptHandler(const InterruptHandler &) = delete;
    InterruptHandler & operator=(const InterruptHandler &) = delete;

    std::stop_token token() const { return source_.get_token(); }

private:
    std::stop_source source_;
    int read_end_ = -1;
    std::thread waiter_;
};

} // namespace valuelens
