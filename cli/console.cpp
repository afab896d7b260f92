#include "cli/console.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace valuelens {

namespace {

using namespace std::chrono_literals;

constexpr auto redraw_every = 100ms;
constexpr auto line_every = 10s;
constexpr auto line_at_most_every = 1s;
constexpr int bar_cells = 24;

bool stderr_is_terminal() {
    const char * kind = std::getenv("TERM");
    return ::isatty(STDERR_FILENO) == 1 && kind != nullptr && std::string_view(kind) != "dumb";
}

std::size_t terminal_width() {
    winsize size{};
    if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1) {
        return size.ws_col;
    }
    return 80;
}

std::string duration_text(double seconds) {
    const auto whole = static_cast<std::uint64_t>(seconds + 0.5);
    if (whole < 60) {
        return fmt::format("{} s", whole);
    }
    if (whole < 3600) {
        return fmt::format("{} min {:02} s", whole / 60, whole % 60);
    }
    return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

std::string quantity_text(double quantity) {
    if (quantity >= 100) {
        return fmt::format("{:.0f}", quantity);
    }
    return quantity >= 10 ? fmt::format("{:.1f}", quantity) : fmt::format("{:.2f}", quantity);
}

/// An amount in its unit; bytes get a prefix.
std::string amount_text(double amount, bool bytes) {
    return bytes ? fmt::format("{:.1f} MB", amount / 1e6) : fmt::format("{:.0f}", amount);
}

} // namespace

Console::Console() : terminal_(stderr_is_terminal()) {}

void Console::start(std::string_view stage, std::uint64_t total, std::string_view unit) {
    const std::lock_guard lock(mutex_);
    end_stage();
    running_ = true;
    stage_ = stage;
    unit_ = unit;
    extra_.clear();
    total_ = total;
    done_ = 0;
    shown_tenths_ = 0;
    begin_ = Clock::now();
    shown_ = begin_;
    if (terminal_) {
        draw_bar();
    }
}

void Console::advance(std::uint64_t done, std::string_view extra) {
    const std::lock_guard lock(mutex_);
    done_ = done;
    extra_ = extra;
    if (!running_ || verbosity_ == Verbosity::quiet) {
        return;
    }
    const auto now = Clock::now();
    if (terminal_) {
        if (now - shown_ >= redraw_every) {
            shown_ = now;
            draw_bar();
        }
        return;
    }
    const std::uint64_t tenths = total_ == 0 ? 0 : 10 * done / total_;
    if (now - shown_ >= line_every || (tenths > shown_tenths_ && now - shown_ >= line_at_most_every)) {
        shown_ = now;
        shown_tenths_ = tenths;
        print_line(status());
    }
}

void Console::finish() {
    const std::lock_guard lock(mutex_);
    end_stage();
}

void Console::message(LogLevel level, std::string_view text) {
    const std::lock_guard lock(mutex_);
    switch (level) {
    case LogLevel::debug:
        if (verbosity_ == Verbosity::verbose) {
            print_line(fmt::format("debug: {}", text));
        }
        break;
    case LogLevel::info:
        if (verbosity_ != Verbosity::quiet) {
            print_line(text);
        }
        break;
    case LogLevel::warning:
        print_line(fmt::format("warning: {}", text));
        break;
    case LogLevel::error:
        print_line(fmt::format("error: {}", text));
        break;
    }
}

void Console::error(std::string_view text) {
    const std::lock_guard lock(mutex_);
    end_stage();
    print_line(text);
}

std::string Console::status() const {
    const bool percent = unit_ == "%";
    const bool bytes = unit_ == "bytes";
    const double seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
    const auto done = static_cast<double>(done_);
    const auto total = static_cast<double>(total_);

    std::string text = stage_ + ": ";
    if (percent) {
        text += fmt::format("{} %", done_);
    } else {
        text += amount_text(done, bytes);
        if (total_ > 0) {
            text += fmt::format("/{}", amount_text(total, bytes));
        }
        if (!bytes) {
            text += fmt::format(" {}", unit_);
        }
        if (total_ > 0) {
            text += fmt::format(" ({:.0f} %)", 100.0 * done / total);
        }
    }
    if (done_ > 0 && seconds > 0.5 && !percent) {
        const double rate = done / seconds;
        text += bytes ? fmt::format(", {:.1f} MB/s", rate / 1e6) : fmt::format(", {}/s", quantity_text(rate));
    }
    if (!extra_.empty()) {
        text += ", " + extra_;
    }
    if (done_ > 0 && done_ < total_ && seconds > 0.5) {
        text += fmt::format(", {} left", duration_text(seconds * (total - done) / done));
    } else if (seconds >= 1) {
        text += fmt::format(", {}", duration_text(seconds));
    }
    return text;
}

void Console::draw_bar() {
    if (verbosity_ == Verbosity::quiet) {
        return;
    }
    std::string line;
    if (total_ > 0) {
        const auto filled = static_cast<std::size_t>(std::min<std::uint64_t>(bar_cells, bar_cells * done_ / total_));
        line = fmt::format("[{}{}] ", std::string(filled, '#'), std::string(bar_cells - filled, ' '));
    }
    line += status();
    line.resize(std::min(line.size(), terminal_width() - 1));
    fmt::print(stderr, "\r\033[K{}", line);
    std::fflush(stderr);
    bar_drawn_ = true;
}

void Console::clear_bar() {
    if (bar_drawn_) {
        fmt::print(stderr, "\r\033[K");
        bar_drawn_ = false;
    }
}

void Console::end_stage() {
    if (!running_) {
        return;
    }
    clear_bar();
    running_ = false;
    if (verbosity_ != Verbosity::quiet) {
        fmt::print(stderr, "{}\n", status());
    }
}

void Console::print_line(std::string_view text) {
    const bool redraw = bar_drawn_;
    clear_bar();
    fmt::print(stderr, "{}\n", text);
    if (redraw && running_) {
        draw_bar();
    }
}

} // namespace valuelens
