#pragma once

#include "valuelens/request.h"

namespace valuelens {

/// Adds what one run of the scheduler did to a sum over several.
inline void add(SchedulerStats & sum, const SchedulerStats & part) {
    sum.prompt_tokens += part.prompt_tokens;
    sum.decoded_tokens += part.decoded_tokens;
    sum.shared_tokens += part.shared_tokens;
    sum.generated_tokens += part.generated_tokens;
    sum.decodes += part.decodes;
    sum.seconds += part.seconds;
    sum.decode_seconds += part.decode_seconds;
    sum.hook_seconds += part.hook_seconds;
}

} // namespace valuelens
