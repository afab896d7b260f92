#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace valuelens {

/// What a server's work will take, or took.
struct ServerCost {
    std::uint64_t requests = 0;
    std::uint64_t prompt_tokens = 0;
    std::uint64_t completion_tokens = 0;
};

/// Per million tokens, in whatever currency the server bills; 0: not known.
struct TokenPrices {
    double prompt = 0;
    double completion = 0;
};

/// Tokens of a text whose tokenizer is not at hand: a quarter of its bytes, as in English.
std::uint64_t guess_tokens(std::size_t bytes);

/// "460 requests, about 120,000 prompt tokens, at most 460 answer tokens, at most 0.31 in money". The money is left out
/// where there is no price.
std::string describe_cost(const ServerCost & cost, const TokenPrices & prices);

} // namespace valuelens
