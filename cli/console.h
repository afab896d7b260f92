#pragma once

#include <chrono>
#include <mutex>
#include <string>

#include "valuelens/progress.h"

namespace valuelens {

/// Progress and log on stderr: a bar with rate and time left on a terminal, else a plain line every tenth of the way or
/// every few seconds. Thread-safe.
class Console : public ProgressSink {
public:
    enum class Verbosity { quiet, normal, verbose };

    Console();

    /// quiet: warnings and errors only; verbose: debug messages too.
    void set_verbosity(Verbosity verbosity) { verbosity_ = verbosity; }

    void start(std::string_view stage, std::uint64_t total, std::string_view unit) override;
    void advance(std::uint64_t done, std::string_view extra = {}) override;
    void finish() override;
    void message(LogLevel level, std::string_view text) override;

    /// The sentence a command ends with. Leaves the bar as it stands above it.
    void error(std::string_view text);

private:
    using Clock = std::chrono::steady_clock;

    std::string status() const;
    void draw_bar();
    void clear_bar();
    void end_stage();
    void print_line(std::string_view text);

    std::mutex mutex_;
    Verbosity verbosity_ = Verbosity::normal;
    bool terminal_ = false;

    bool running_ = false;
    std::string stage_;
    std::string unit_;
    std::string extra_;
    std::uint64_t total_ = 0; ///< 0: unknown
    std::uint64_t done_ = 0;
    std::uint64_t shown_tenths_ = 0; ///< of the way, at the last plain line
    Clock::time_point begin_;
    Clock::time_point shown_;
    bool bar_drawn_ = false;
};

} // namespace valuelens
