#pragma once

#include <memory>
#include <stop_token>

#include "serve/options.h"
#include "valuelens/live_scheduler.h"
#include "valuelens/progress.h"

namespace valuelens {

/// What a server did until it was stopped.
struct ServeResult {
    std::uint64_t requests = 0; ///< HTTP requests answered
    LiveStats live;
};

/// An OpenAI-compatible HTTP server whose requests may each be steered (docs/serve.md).
class Server {
public:
    /// Binds the port first, so that a port in use is said before the model is loaded. Throws Error(judge) where it
    /// cannot be bound, and as Service does.
    Server(const ServeOptions & options, ProgressSink & progress = silent_progress(), std::stop_token stop = {});
    ~Server();
    Server(const Server &) = delete;
    Server & operator=(const Server &) = delete;

    int port() const;

    /// Serves until a stop is requested; then takes nothing more, gives what is in flight the grace time to finish, and
    /// cancels the rest. Throws Error(judge) where the port is lost.
    ServeResult run(std::stop_token stop);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace valuelens
