#include "math/pair_svd.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <Eigen/SVD>

#include "math/vector_ops.h"

namespace valuelens {
namespace {

/// Products smaller than this, relative to their factors, have no sign: sums in double of some 1e4 terms.
constexpr double sign_tolerance = 1e-12;

PairDefect defect_of_lengths(double norm_a, double norm_b) {
    if (!std::isfinite(norm_a) || !std::isfinite(norm_b)) {
        return PairDefect::not_finite;
    }
    if (norm_a == 0 || norm_b == 0) {
        return norm_a > 0 ? PairDefect::b_zero : norm_b > 0 ? PairDefect::a_zero : PairDefect::both_zero;
    }
    const bool negligible = std::min(norm_a, norm_b) <= pair_tolerance * std::max(norm_a, norm_b);
    return negligible ? PairDefect::negligible : PairDefect::none;
}

/// Of [a, b] = Q T with orthonormal Q and T = [[norm_a, along], [0, across]]: an axis u = Q w has <u, a> = w' T e_1 and
/// <u, b> = w' T e_2, so T tells all.
PairSvd svd_of_triangle(double norm_a, double along, double across) {
    PairSvd result;
    const double norm_b = std::hypot(along, across);
    result.defect = defect_of_lengths(norm_a, norm_b);
    if (result.defect == PairDefect::not_finite) {
        return result;
    }
    Eigen::Matrix2d triangle;
    triangle << norm_a, along, 0, across;
    const Eigen::JacobiSVD<Eigen::Matrix2d> svd(triangle, Eigen::ComputeFullU | Eigen::ComputeFullV);
    result.sigma_1 = svd.singularValues()[0];
    result.sigma_2 = svd.singularValues()[1];
    if (result.defect != PairDefect::none) {
        return result;
    }
    if (result.sigma_2 <= pair_tolerance * result.sigma_1) {
        result.defect = PairDefect::parallel;
        return result;
    }
    if (result.sigma_1 - result.sigma_2 <= pair_tolerance * result.sigma_1) {
        result.defect = PairDefect::equal_sigmas;
        return result;
    }

    // u_k = [a, b] r_k / sigma_k, where <u_k, a> = sigma_k r_k[0] and <u_k, b> = sigma_k r_k[1].
    const auto coefficients = [&](Eigen::Index k, double sign_of_b) {
        const Eigen::Vector2d r = svd.matrixV().col(k);
        const double sigma = svd.singularValues()[k];
        double along_rule = r[0] + sign_of_b * r[1];
        if (std::abs(along_rule) <= sign_tolerance) {
            along_rule = r[0];
        }
        const double scale = (along_rule < 0 ? -1 : 1) / sigma;
        return std::array<double, 2>{scale * r[0], scale * r[1]};
    };
    result.first = coefficients(0, 1);
    result.second = coefficients(1, -1);
    return result;
}

/// The part of b along a / |a| and the length of the rest, taken from the vectors themselves: from inner products it
/// would lose half of its digits.
std::array<double, 2> split_along(std::span<const double> a, std::span<const double> b, double norm_a) {
    const double along = dot(a, b) / norm_a;
    std::vector<double> rest(b.size());
    for (std::size_t i = 0; i < b.size(); ++i) {
        rest[i] = b[i] - along * (a[i] / norm_a);
    }
    return {along, norm(rest)};
}

} // namespace

PairSvd pair_svd(std::span<const double> a, std::span<const double> b) {
    const double norm_a = norm(a);
    const double norm_b = norm(b);
    if (!(norm_a > 0) || !std::isfinite(norm_a) || !std::isfinite(norm_b)) {
        return svd_of_triangle(norm_a, 0, norm_b);
    }
    const auto [along, across] = split_along(a, b, norm_a);
    return svd_of_triangle(norm_a, along, across);
}

PairSvd pair_svd_of_products(double aa, double ab, double bb) {
    const double norm_a = std::sqrt(aa);
    if (!(norm_a > 0) || !std::isfinite(norm_a)) {
        return svd_of_triangle(norm_a, 0, std::sqrt(bb));
    }
    const double along = ab / norm_a;
    // NaN must stay NaN, which std::max would not do in this order.
    const double rest = bb - along * along;
    return svd_of_triangle(norm_a, along, rest < 0 ? 0 : std::sqrt(rest));
}

double orthogonal_factor(std::span<const double> a, std::span<const double> b) {
    const double norm_a = norm(a);
    const double norm_b = norm(b);
    constexpr double undefined = std::numeric_limits<double>::quiet_NaN();
    if (!std::isfinite(norm_a) || !std::isfinite(norm_b) || norm_b == 0) {
        return undefined;
    }
    if (norm_a == 0) {
        return 0;
    }
    const auto [along, across] = split_along(b, a, norm_b);
    return across <= pair_tolerance * norm_a ? undefined : along / norm_b;
}

} // namespace valuelens
