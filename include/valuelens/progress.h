#pragma once

#include <cstdint>
#include <string_view>

namespace valuelens {

enum class LogLevel { debug, info, warning, error };

/// Where the library reports what it does; it never prints. Implementations must be callable from
/// any thread. The default sink drops everything.
class ProgressSink {
public:
    virtual ~ProgressSink() = default;

    /// A stage begins. `total` is in `unit`s ("responses", "tokens", "bytes"); 0 means unknown.
    virtual void start(std::string_view /*stage*/, std::uint64_t /*total*/, std::string_view /*unit*/) {}

    /// `done` units of the running stage are finished (absolute, not a difference). `extra` is a short
    /// rate or note to show beside the bar, may be empty.
    virtual void advance(std::uint64_t /*done*/, std::string_view /*extra*/ = {}) {}

    /// The running stage ended, complete or not.
    virtual void finish() {}

    /// A sentence for the log.
    virtual void message(LogLevel /*level*/, std::string_view /*text*/) {}
};

/// A sink that drops everything.
ProgressSink & silent_progress();

} // namespace valuelens
