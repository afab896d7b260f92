#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>

#include "valuelens/progress.h"
#include "valuelens/report.h"

namespace valuelens {

/// The report of a run over HTTP on the loopback, made anew as the run goes on. Nobody but this machine is answered.
class LiveReport {
public:
    /// Binds the port (0: any that is free). Throws Error(judge) where it cannot be bound, and as render_report().
    LiveReport(const ReportRequest & request, int port);
    ~LiveReport();
    LiveReport(const LiveReport &) = delete;
    LiveReport & operator=(const LiveReport &) = delete;

    int port() const;

    /// Serves until a stop is requested; returns the number of requests answered. Throws Error(judge) where the port is
    /// lost.
    std::uint64_t run(std::stop_token stop);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace valuelens
