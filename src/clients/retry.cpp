#include "clients/retry.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <string>

#include "base/random.h"

namespace valuelens {

using std::chrono::milliseconds;

namespace {

// "Wed, 21 Oct 2015 07:28:00 GMT"; strptime would read the names in the locale's language.
std::optional<std::chrono::sys_seconds> parse_http_date(const std::string & text) {
    static constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char month_name[4] = "";
    char zone[4] = "";
    int day = 0;
    int year = 0;
    int hour = 0;
    int minute = 0;
    int second = 0;
    const int read = std::sscanf(text.c_str(), "%*3s, %2d %3s %4d %2d:%2d:%2d %3s", &day, month_name, &year, &hour,
                                 &minute, &second, zone);
    const std::size_t place = months.find(month_name);
    if (read != 7 || std::string_view(zone) != "GMT" || place == std::string_view::npos || place % 3 != 0) {
        return std::nullopt;
    }
    using namespace std::chrono;
    const year_month_day date{std::chrono::year(year), month(static_cast<unsigned>(place / 3 + 1)),
                              std::chrono::day(static_cast<unsigned>(day))};
    if (!date.ok()) {
        return std::nullopt;
    }
    return sys_days(date) + hours(hour) + minutes(minute) + seconds(second);
}

} // namespace

milliseconds backoff(const RetryPolicy & policy, std::uint64_t request, int attempt) {
    const int doublings = std::min(attempt, 30);
    const double bound = std::min(static_cast<double>(policy.longest.count()),
                                  static_cast<double>(policy.first.count()) * static_cast<double>(1u << doublings));
    Rng rng(derive_seed(policy.seed, "retry " + std::to_string(request) + " " + std::to_string(attempt)));
    return milliseconds(static_cast<milliseconds::rep>(rng.uniform() * bound));
}

std::optional<milliseconds> parse_retry_after(std::string_view text, std::chrono::system_clock::time_point now) {
    const auto blank = [](char c) {
        return c == ' ' || c == '\t';
    };
    while (!text.empty() && blank(text.front())) {
        text.remove_prefix(1);
    }
    while (!text.empty() && blank(text.back())) {
        text.remove_suffix(1);
    }
    constexpr std::uint32_t most =
        10 * 365 * 24 * 3600u; // beyond this nothing is meant seriously, and nothing overflows
    std::uint64_t seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (error == std::errc() && end == text.data() + text.size()) {
        return std::chrono::seconds(std::min<std::uint64_t>(seconds, most));
    }
    if (const auto date = parse_http_date(std::string(text))) {
        return std::max(milliseconds(0), std::chrono::duration_cast<milliseconds>(*date - now));
    }
    return std::nullopt;
}

} // namespace valuelens
