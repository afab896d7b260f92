#pragma once

#include <cstddef>

namespace valuelens {

/// P(X >= common), X the number of members that two sets of `a` and `b` out of `n` share when one of them is drawn at
/// random: C(a, x) C(n - a, b - x) / C(n, b). Accurate far into the tail. a, b <= n.
double hypergeometric_tail(std::size_t common, std::size_t n, std::size_t a, std::size_t b);

} // namespace valuelens
