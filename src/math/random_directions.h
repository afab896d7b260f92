#pragma once

#include <cstddef>

#include "base/random.h"
#include "math/row_matrix.h"

namespace valuelens {

/// One draw of the chi-squared distribution: the squared length of a vector of `degrees` (>= 1) standard normals. Takes
/// a few random numbers for any `degrees` (Marsaglia & Tsang 2000).
double chi_squared(Rng & rng, std::size_t degrees);

/// Cosines [n, n] between n directions drawn uniformly and independently in `dimension` (>= 1) dimensions.
///
/// The vectors themselves are never made: of n normal vectors only the triangular factor of their inner products is
/// drawn (Bartlett 1933; row i holds i normals and, on the diagonal, the root of a chi-squared of dimension - i
/// degrees), so that the cost does not grow with the dimension.
RowMatrix random_direction_cosines(std::size_t n, std::size_t dimension, Rng & rng);

} // namespace valuelens
