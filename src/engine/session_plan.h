#pragma once

#include <cstddef>
#include <string>

#include "engine/session.h"
#include "valuelens/model.h"
#include "valuelens/request.h"

namespace valuelens {

/// The type of the KV cache, `auto` resolved.
std::string kv_type_for(const Model & model, const SchedulerOptions & options);

/// The longest prompt + response that is taken, in tokens.
int context_limit(const Model & model, const SchedulerOptions & options);

/// Throws Error(usage) for options out of range.
void check_options(const Model & model, const SchedulerOptions & options);

/// Throws Error(internal) that names the request by `index` for what its maker should have seen to.
void check_request(const Model & model, const Request & request, std::size_t index);

/// The context for a list of requests of which the longest needs `longest` cells: as many sequences as are asked for
/// and fit the memory that a cache may take.
SessionOptions plan_session(const Model & model, const SchedulerOptions & options, std::size_t longest,
                            std::size_t n_requests, bool unified);

/// The context for requests that are not known yet: as long a context as fits beside `parallel` sequences, where none
/// is asked for.
SessionOptions plan_live_session(const Model & model, const SchedulerOptions & options);

} // namespace valuelens
