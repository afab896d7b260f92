#include "clients/cost.h"

#include <fmt/format.h>

namespace valuelens {

namespace {

std::string grouped(std::uint64_t number) {
    std::string text = std::to_string(number);
    for (std::size_t at = text.size(); at > 3;) {
        at -= 3;
        text.insert(at, 1, ',');
    }
    return text;
}

} // namespace

std::uint64_t guess_tokens(std::size_t bytes) {
    return (bytes + 3) / 4;
}

std::string describe_cost(const ServerCost & cost, const TokenPrices & prices) {
    std::string text =
        fmt::format("{} requests, about {} prompt tokens, at most {} answer tokens", grouped(cost.requests),
                    grouped(cost.prompt_tokens), grouped(cost.completion_tokens));
    if (prices.prompt > 0 || prices.completion > 0) {
        const double money = (prices.prompt * static_cast<double>(cost.prompt_tokens) +
                              prices.completion * static_cast<double>(cost.completion_tokens)) /
                             1e6;
        text += fmt::format(", about {:.2f} in money at most ({} and {} per million)", money, prices.prompt,
                            prices.completion);
    }
    return text;
}

} // namespace valuelens
