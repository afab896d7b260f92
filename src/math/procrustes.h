#pragma once

#include <Eigen/Core>

#include "math/row_matrix.h"

namespace valuelens {

/// One configuration of points laid onto another by shift, scale, rotation and reflection (least squares).
struct Procrustes {
    /// M^2, in [0, 1]: squared distance that is left between `standard_form(target)` and `fitted`. The same as
    /// scipy.spatial.procrustes(target, points)[2]; R^2 = 1 - M^2.
    double disparity = 1;
    RowMatrix fitted;   ///< [n, k] = scale * standard_form(points) * rotation; scipy's second matrix
    RowMatrix rotation; ///< [k, k] orthogonal, its determinant -1 where the points are mirrored. Where either
                        ///< configuration fills fewer than k dimensions it is one of several that fit equally well
    double scale = 0;   ///< sqrt(1 - disparity)
    RowMatrix placed;   ///< [n, k] `fitted` with the centre and size of `target` as given: points to draw beside it
};

/// `points` [n, k] moved to centre 0 and scaled to a Frobenius norm of 1. Throws Error(bad_input): fewer than 3 points,
/// all points equal (no size to scale), or a number that is not finite.
RowMatrix standard_form(const Eigen::Ref<const RowMatrix> & points);

/// Fits `points` to `target`, both [n, k], row i to row i. Errors as standard_form(), and Error(bad_input) for
/// different shapes.
Procrustes procrustes(const Eigen::Ref<const RowMatrix> & target, const Eigen::Ref<const RowMatrix> & points);

/// 1 - disparity of two planar configurations [n, 2], both in standard form: in the plane the sum of the two singular
/// values of M = target' points, squared, is |M|_F^2 + 2 |det M|. Cheap enough for permutation tests.
double plane_r_squared(const RowMatrix & target, const RowMatrix & points);

} // namespace valuelens
