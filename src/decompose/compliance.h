#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "math/row_matrix.h"
#include "valuelens/decompose.h"

namespace valuelens {

/// How much the deltas v_prompted - v_intrinsic of the values have in common (design: Compliance direction).
struct ComplianceStatistics {
    /// sum_s (delta[s].m^)^2 / sum_s |delta[s]|^2, m the mean of the deltas. NaN where the deltas cancel (m = 0).
    double explained = std::numeric_limits<double>::quiet_NaN();
    double explained_unit = std::numeric_limits<double>::quiet_NaN(); ///< the same of the unit deltas, m their mean
    double mean_cosine = std::numeric_limits<double>::quiet_NaN();    ///< mean cosine over pairs of deltas
};

/// `deltas`: [n_value, n_embd]. A delta of length zero has no direction: it is left out (which leaves `explained` as it
/// is). All NaN for fewer than two others, or where a number is not finite.
ComplianceStatistics compliance_statistics(const RowMatrix & deltas);

/// The same from the inner products of the deltas, [n_value, n_value].
ComplianceStatistics compliance_statistics_of_gram(const RowMatrix & gram);

struct ComplianceNull {
    Null explained;
    Null explained_unit;
    Null mean_cosine;
};

/// The statistics of `draws` sets of random directions in n_embd dimensions that have the given lengths. The cost does
/// not grow with n_embd. All NaN without draws, for fewer than two lengths above zero, or with one that is not finite.
/// Depends on nothing but the arguments.
ComplianceNull compliance_null(std::span<const double> lengths, std::size_t n_embd, std::size_t draws,
                               double confidence, std::uint64_t seed);

} // namespace valuelens
