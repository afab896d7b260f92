#pragma once

#include <array>
#include <limits>
#include <span>

namespace valuelens {

/// Why a pair of vectors has no singular axes.
enum class PairDefect {
    none,
    not_finite,
    a_zero,
    b_zero,
    both_zero,
    negligible,  ///< one is at most pair_tolerance times as long as the other
    parallel,    ///< or antiparallel: sigma_2 <= pair_tolerance * sigma_1
    equal_sigmas ///< orthogonal and of one length: sigma_1 = sigma_2, any axis of the plane is as good as another
};

/// Relative to sigma_1, below this sigma_2 counts as zero, and so does sigma_1 - sigma_2. The vectors come in float32:
/// rounding moves each by up to 2^-24 of its length, and thereby an axis by about 2^-25 sigma_1 / sigma_2 (or
/// 2^-25 sigma_1 / (sigma_1 - sigma_2)) radians. Here that is 0.03 rad, two degrees; beyond it an axis is noise.
inline constexpr double pair_tolerance = 1e-6;

/// The thin SVD [a, b] = U Sigma R' of two vectors, each axis given by what it is made of:
/// u = coefficients[0] * a + coefficients[1] * b, of unit length.
///
/// Signs (design: SVD): <u_1, a + b> >= 0 and <u_2, a - b> >= 0. Where that product is zero (up to 1e-12 of |u| |a| or
/// |u| |b|: unit vectors at more than a right angle, where u_1 lies along a - b), the sign is such that <u, a> > 0; it
/// is never zero there, because u is orthogonal to one of a + b and a - b but not to both.
struct PairSvd {
    PairDefect defect = PairDefect::none;
    double sigma_1 = std::numeric_limits<double>::quiet_NaN(); ///< NaN only where the vectors are not finite
    double sigma_2 = std::numeric_limits<double>::quiet_NaN();
    std::array<double, 2> first{};  ///< coefficients of u_1; zeros where there is a defect
    std::array<double, 2> second{}; ///< of u_2
};

/// Of two vectors of one size. sigma_2 is good to about 1e-15 sigma_1.
PairSvd pair_svd(std::span<const double> a, std::span<const double> b);

/// Of two vectors that are known by their inner products alone. sigma_2 is good to about 1e-8 sigma_1 only: for
/// resamples, not for what is told.
PairSvd pair_svd_of_products(double aa, double ab, double bb);

/// The factor f such that a - f b is orthogonal to b, <a, b> / <b, b>.
///
/// NaN where the rest a - f b is not to be trusted: b is zero, or a and b are parallel up to pair_tolerance (the rest
/// is then shorter than pair_tolerance times |a|: rounding), or either is not finite. 0 where a is zero.
double orthogonal_factor(std::span<const double> a, std::span<const double> b);

} // namespace valuelens
