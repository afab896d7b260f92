#include "vectors/problems.h"

#include <algorithm>

#include "base/fail.h"

namespace valuelens {

std::string too_few_problem(const ValueVector & entry, std::size_t min_count) {
    const std::size_t needed = std::max<std::size_t>(min_count, 1);
    if (std::min(entry.n_expressing, entry.n_not_expressing) >= needed) {
        return {};
    }
    return fmt::format(
        "value '{}', condition {}: {} expressing and {} not expressing responses, at least {} of each are needed; "
        "label more responses or lower --min-count",
        entry.value, to_string(entry.condition), entry.n_expressing, entry.n_not_expressing, needed);
}

void require_a_vector(const ValueVectorSet & set) {
    const bool any = std::any_of(set.vectors.begin(), set.vectors.end(),
                                 [](const ValueVector & entry) { return entry.problem.empty(); });
    if (!any) {
        fail(ErrorKind::bad_input, "no value has enough labelled responses for a vector: {}{}",
             set.vectors.empty() ? "there are no values" : set.vectors.front().problem,
             set.vectors.size() > 1 ? fmt::format(" (and {} more like it)", set.vectors.size() - 1) : "");
    }
}

} // namespace valuelens
