#pragma once

#include <cstddef>
#include <functional>

namespace valuelens {

/// `requested`, or the number of hardware threads where it is 0 (at least 1).
unsigned thread_count(unsigned requested);

/// Calls `body(i)` once for each i in [0, count) on up to `threads` threads (0: all cores), the calling one included.
/// Indices are handed out in ascending order, one at a time; which thread runs which is open, so a body that writes
/// only to what belongs to its index gives the same result for any number of threads.
///
/// After an exception no further index is begun; those under way end first, then the exception of the lowest failing
/// index is rethrown, whatever the number of threads.
void parallel_for(std::size_t count, unsigned threads, const std::function<void(std::size_t)> & body);

} // namespace valuelens
