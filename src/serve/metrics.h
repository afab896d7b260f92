#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "valuelens/live_scheduler.h"

namespace valuelens {

/// What the server counted since it began. Thread-safe.
class Metrics {
public:
    void count_request(const std::string & path, int status);
    void count_response(bool flagged, bool redone);
    void count_tokens(std::size_t prompt, std::size_t completion);
    void observe_first_token(double seconds);
    void observe_request(double seconds);

    /// Mean seconds of a request that was answered; 0: none was.
    double mean_request_seconds() const;

    /// Prometheus' text format. `model` stands in the label of valuelens_info.
    std::string text(const LiveStats & live, std::size_t sequences, const std::string & model) const;

private:
    struct Histogram {
        static constexpr std::array<double, 12> bounds{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120};
        std::array<std::uint64_t, 12> below{}; ///< of each bound
        std::uint64_t count = 0;
        double sum = 0;
        void add(double seconds);
    };

    mutable std::mutex mutex_;
    std::map<std::pair<std::string, int>, std::uint64_t> requests_;
    std::uint64_t prompt_tokens_ = 0;
    std::uint64_t completion_tokens_ = 0;
    std::uint64_t flagged_ = 0;
    std::uint64_t redone_ = 0;
    Histogram first_token_;
    Histogram request_;
};

/// Bytes of memory that the process holds; 0 where the system does not say.
std::uint64_t resident_bytes();

} // namespace valuelens
