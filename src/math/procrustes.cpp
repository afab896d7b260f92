#include "math/procrustes.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include <Eigen/LU>
#include <Eigen/SVD>

#include "base/fail.h"

namespace valuelens {

RowMatrix standard_form(const Eigen::Ref<const RowMatrix> & points) {
    if (points.rows() < 3) {
        fail(ErrorKind::bad_input, "Procrustes needs at least 3 points, got {}", points.rows());
    }
    if (!points.allFinite()) {
        fail(ErrorKind::bad_input, "Procrustes: a point holds a number that is not finite");
    }
    RowMatrix centred = points.rowwise() - points.colwise().mean();
    const double size = centred.norm();
    constexpr double rounding = 1e-14;
    if (!(size > rounding * points.norm())) {
        fail(ErrorKind::bad_input, "Procrustes: all {} points are equal, so there is no shape to fit", points.rows());
    }
    return centred / size;
}

Procrustes procrustes(const Eigen::Ref<const RowMatrix> & target, const Eigen::Ref<const RowMatrix> & points) {
    if (target.rows() != points.rows() || target.cols() != points.cols()) {
        fail(ErrorKind::bad_input,
             "Procrustes: the configurations have shapes [{}, {}] and [{}, {}], expected equal ones", target.rows(),
             target.cols(), points.rows(), points.cols());
    }
    const RowMatrix standard_target = standard_form(target);
    const RowMatrix standard_points = standard_form(points);

    // Of all orthogonal Q, U V' of points' target = U S V' brings points Q closest to the target; the best scale is
    // then the sum of S (Schönemann 1966, with reflections).
    const Eigen::MatrixXd cross = standard_points.transpose() * standard_target;
    const Eigen::JacobiSVD<Eigen::MatrixXd> svd(cross, Eigen::ComputeFullU | Eigen::ComputeFullV);

    Procrustes result;
    result.rotation = svd.matrixU() * svd.matrixV().transpose();
    result.scale = std::min(svd.singularValues().sum(), 1.0);
    result.fitted = result.scale * standard_points * result.rotation;
    result.disparity = 1 - result.scale * result.scale;
    const Eigen::RowVectorXd centre = target.colwise().mean();
    const double size = (target.rowwise() - centre).norm();
    result.placed = (size * result.fitted).rowwise() + centre;
    return result;
}

double plane_r_squared(const RowMatrix & target, const RowMatrix & points) {
    assert(target.cols() == 2 && points.cols() == 2 && target.rows() == points.rows());
    const Eigen::Matrix2d cross = target.transpose() * points;
    return std::min(cross.squaredNorm() + 2 * std::abs(cross.determinant()), 1.0);
}

} // namespace valuelens
