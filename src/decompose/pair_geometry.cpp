#include "decompose/pair_geometry.h"

#include <array>
#include <limits>

#include "math/pair_svd.h"
#include "math/vector_ops.h"

namespace valuelens {
namespace {

using Vector = std::vector<double>;

std::string reason(PairDefect defect) {
    switch (defect) {
    case PairDefect::none:
        return {};
    case PairDefect::not_finite:
        return "a vector holds a number that is not finite";
    case PairDefect::a_zero:
        return "the intrinsic vector is zero";
    case PairDefect::b_zero:
        return "the prompted vector is zero";
    case PairDefect::both_zero:
        return "both vectors are zero";
    case PairDefect::negligible:
        return "one vector is at most 1e-6 times as long as the other (--normalize compares directions alone)";
    case PairDefect::parallel:
        return "the two vectors are parallel";
    case PairDefect::equal_sigmas:
        return "the two vectors are orthogonal and equally long, so that no axis of their plane stands out";
    }
    return {};
}

Vector scaled(const Vector & vector, double factor) {
    Vector result(vector);
    for (double & element : result) {
        element *= factor;
    }
    return result;
}

/// x a + y b.
Vector combine(double x, const Vector & a, double y, const Vector & b) {
    Vector result(a.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
        result[i] = x * a[i] + y * b[i];
    }
    return result;
}

/// The axis [a, b] c at unit length: the coefficients of a short second axis are large, and rounding adds up.
Vector unit_axis(const std::array<double, 2> & c, const Vector & a, const Vector & b) {
    const Vector axis = combine(c[0], a, c[1], b);
    return scaled(axis, 1 / norm(axis));
}

} // namespace

PairAxes analyse_pair(std::span<const float> intrinsic, std::span<const float> prompted, bool normalize) {
    const Vector v_int(intrinsic.begin(), intrinsic.end());
    const Vector v_prompted(prompted.begin(), prompted.end());
    PairAxes result;
    PairGeometry & geometry = result.geometry;
    geometry.norm_intrinsic = norm(v_int);
    geometry.norm_prompted = norm(v_prompted);
    geometry.cosine.value = cosine(v_int, v_prompted);

    // The SVD, of unit vectors where asked; a zero vector stays zero.
    const auto direction = [&](const Vector & vector, double length) {
        return normalize && length > 0 ? scaled(vector, 1 / length) : vector;
    };
    const Vector a = direction(v_int, geometry.norm_intrinsic);
    const Vector b = direction(v_prompted, geometry.norm_prompted);
    const PairSvd svd = pair_svd(a, b);
    geometry.sigma_1 = svd.sigma_1;
    geometry.sigma_2 = svd.sigma_2;
    geometry.sigma_ratio.value = svd.sigma_2 / svd.sigma_1; // NaN for 0 / 0
    geometry.undefined = reason(svd.defect);
    if (svd.defect == PairDefect::none) {
        result.shared = unit_axis(svd.first, a, b);
        result.intrinsic = unit_axis(svd.second, a, b);
    } else {
        result.shared.assign(a.size(), std::numeric_limits<double>::quiet_NaN());
        result.intrinsic = result.shared;
    }

    // What each vector has beside the other. A NaN factor makes NaN of all.
    result.intrinsic_orth = combine(1, v_int, -orthogonal_factor(v_int, v_prompted), v_prompted);
    result.prompted_orth = combine(1, v_prompted, -orthogonal_factor(v_prompted, v_int), v_int);
    return result;
}

} // namespace valuelens
