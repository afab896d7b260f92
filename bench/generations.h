#pragma once

#include <vector>

#include "valuelens/model.h"
#include "valuelens/query.h"
#include "valuelens/request.h"

namespace valuelens::bench {

/// Requests that generate exactly `new_tokens` tokens each, for the first `n` shipped queries.
inline std::vector<Request> generations(const Model & model, int n, int new_tokens) {
    std::vector<Request> requests;
    for (const Query & query : shipped_queries({.limit = static_cast<std::size_t>(n)}).queries) {
        Request request;
        request.prompt = model.render_chat("", query.text).tokens;
        request.max_tokens = new_tokens;
        request.ignore_eos = true;
        requests.push_back(std::move(request));
    }
    return requests;
}

} // namespace valuelens::bench
