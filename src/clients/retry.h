#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace valuelens {

/// How long to wait before a request is sent again.
struct RetryPolicy {
    int max_retries = 8;
    std::chrono::milliseconds first{500};     ///< longest wait before the first retry; doubles from one to the next
    std::chrono::milliseconds longest{60000}; ///< where the doubling ends
    std::chrono::milliseconds longest_asked{600000}; ///< a server that asks for a longer wait is given up on
    std::uint64_t seed = 0;
};

/// Exponential back-off with full jitter: uniform between 0 and min(longest, first * 2^attempt). Drawn from a stream of
/// its own for each request and attempt (from 0), so that a thousand clients do not come back at once.
std::chrono::milliseconds backoff(const RetryPolicy & policy, std::uint64_t request, int attempt);

/// A Retry-After header: whole seconds, or an HTTP date ("Wed, 21 Oct 2015 07:28:00 GMT") counted from `now`; 0 for a
/// date that has passed. Nothing for any other text.
std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view text,
                                                           std::chrono::system_clock::time_point now);

} // namespace valuelens
