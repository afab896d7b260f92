#include "clients/first_token.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>

#include "base/text.h"

namespace valuelens {

namespace {

double log_add(double a, double b) {
    const double high = std::max(a, b);
    return std::isinf(high) ? high : high + std::log(std::exp(a - high) + std::exp(b - high));
}

} // namespace

std::optional<double> first_token_odds(const std::vector<TokenTextLogprob> & tokens, const std::string & yes,
                                       const std::string & no) {
    constexpr double nothing = -std::numeric_limits<double>::infinity();
    double log_yes = nothing;
    double log_no = nothing;
    double least = 0;
    const std::string yes_word = lower_ascii(yes);
    const std::string no_word = lower_ascii(no);
    for (const TokenTextLogprob & entry : tokens) {
        least = std::min(least, entry.logprob);
        const std::string token = lower_ascii(trimmed(entry.token));
        const bool is_yes = !token.empty() && yes_word.starts_with(token);
        const bool is_no = !token.empty() && no_word.starts_with(token);
        if (is_yes != is_no) { // a beginning of both tells nothing
            (is_yes ? log_yes : log_no) = log_add(is_yes ? log_yes : log_no, entry.logprob);
        }
    }
    if (std::isinf(log_yes) && std::isinf(log_no)) {
        return std::nullopt;
    }
    return (std::isinf(log_yes) ? least : log_yes) - (std::isinf(log_no) ? least : log_no);
}

} // namespace valuelens
