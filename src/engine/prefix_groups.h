#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "valuelens/request.h"

namespace valuelens {

/// A request as the scheduler sees it: all tokens to put in, and from where on they are its own.
struct PrefixPlan {
    std::size_t group = 0;  ///< requests of one group share their first `shared` tokens
    std::size_t shared = 0; ///< 0 for a request that is alone
    std::size_t group_size = 1;
};

/// Whether the tokens of a prompt are the same to the model under both interventions (null: none).
bool share_prompts(const Intervention * a, const Intervention * b);

/// Finds neighbours in `order` whose inputs begin alike and lets them decode that beginning once.
///
/// A prefix ends before the first token whose row somebody needs (a captured response token, the token whose logits are
/// read), and requests with different interventions share nothing, unless these touch response tokens only. `minimum`:
/// shorter common beginnings are not worth a copy. Returns one plan per request (indexed as `requests`).
std::vector<PrefixPlan> plan_prefixes(std::span<const Request> requests, std::span<const std::size_t> order,
                                      std::size_t minimum);

} // namespace valuelens
