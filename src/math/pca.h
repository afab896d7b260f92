#pragma once

#include <cstddef>
#include <vector>

#include <Eigen/Core>

#include "math/row_matrix.h"

namespace valuelens {

/// The first principal components of few samples in many dimensions.
struct Pca {
    /// [n, k] the centred samples along the components, by falling variance. A component's sign is the one that makes
    /// its score of greatest magnitude positive (the first of those that are equal up to rounding).
    RowMatrix scores;
    /// [k] share of the total variance; NaN where all samples are equal up to rounding (the scores are then 0).
    std::vector<double> explained;
};

/// Centred PCA of `samples` [n, dimension] through the n x n matrix of their inner products, so that the cost grows
/// with n^2 dimension. Components beyond the rank of the centred samples have scores and share 0; a share below about
/// 1e-15 n counts as such. The plane of components whose variances are equal is defined, the components in it are not.
///
/// 1 <= k <= n. Throws Error(bad_input) where a sample holds a number that is not finite.
Pca pca(const Eigen::Ref<const RowMatrix> & samples, std::size_t k);

/// The same from the inner products of the samples, [n, n]; these need not be centred. Takes samples whose differences
/// are below 1e-6 of their length for equal.
Pca pca_of_gram(const Eigen::Ref<const RowMatrix> & gram, std::size_t k);

} // namespace valuelens
