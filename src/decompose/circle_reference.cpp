#include "decompose/circle_reference.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "base/random.h"
#include "decompose/null.h"
#include "math/pca.h"
#include "math/procrustes.h"
#include "math/random_directions.h"

namespace valuelens {
namespace {

/// Fits this close are equal: rounding must not tell a turned circle from the stated one.
constexpr double rounding = 1e-12;

RowMatrix reordered(const RowMatrix & rows, const std::vector<Eigen::Index> & order) {
    return rows(order, Eigen::all);
}

std::vector<Eigen::Index> in_order(Eigen::Index n) {
    std::vector<Eigen::Index> order(static_cast<std::size_t>(n));
    std::iota(order.begin(), order.end(), Eigen::Index{0});
    return order;
}

PrincipalPlane plane_of(const Pca & components) {
    if (std::isnan(components.explained[0])) {
        return {};
    }
    return {standard_form(components.scores), components.explained[0], components.explained[1]};
}

} // namespace

double angle_distance(double a, double b) {
    const double apart = std::fmod(std::abs(a - b), 360.0);
    return std::min(apart, 360.0 - apart);
}

CircleReference::CircleReference(std::span<const double> angles, std::size_t permutations, std::uint64_t seed)
    : points_(static_cast<Eigen::Index>(angles.size()), 2) {
    for (std::size_t i = 0; i < angles.size(); ++i) {
        const double radians = angles[i] * std::numbers::pi / 180;
        points_.row(static_cast<Eigen::Index>(i)) << std::cos(radians), std::sin(radians);
    }
    standard_ = standard_form(points_);
    Rng rng(derive_seed(seed, "circle permutations"));
    for (std::size_t i = 0; i < permutations; ++i) {
        std::vector<Eigen::Index> order = in_order(points_.rows());
        rng.shuffle(order);
        permuted_.push_back(reordered(standard_, order));
    }
}

double CircleReference::r_squared(const RowMatrix & plane) const {
    return plane_r_squared(standard_, plane);
}

CircleFit CircleReference::fit(const RowMatrix & plane) const {
    CircleFit result;
    result.r_squared = r_squared(plane);
    const auto at_least_as_good = std::count_if(permuted_.begin(), permuted_.end(), [&](const RowMatrix & circle) {
        return plane_r_squared(circle, plane) >= result.r_squared - rounding;
    });
    if (!permuted_.empty()) {
        result.p = static_cast<double>(1 + at_least_as_good) / static_cast<double>(1 + permuted_.size());
    }
    return result;
}

double CircleReference::symmetric_share() const {
    constexpr Eigen::Index many = 7;
    if (standard_.rows() > many) {
        return 0;
    }
    std::vector<Eigen::Index> order = in_order(standard_.rows());
    double orders = 0;
    double symmetric = 0;
    do {
        ++orders;
        if (plane_r_squared(standard_, reordered(standard_, order)) >= 1 - rounding) {
            ++symmetric;
        }
    } while (std::next_permutation(order.begin(), order.end()));
    return symmetric / orders;
}

PrincipalPlane principal_plane(const RowMatrix & rows) {
    return plane_of(pca(rows, 2));
}

CircleNulls circle_nulls(const CircleReference & even, const CircleReference * wedges, std::size_t n_embd,
                         std::size_t draws, double confidence, std::uint64_t seed) {
    Rng rng(derive_seed(seed, "circle null"));
    const auto n = static_cast<std::size_t>(even.points().rows());
    std::vector<double> even_draws(draws, std::numeric_limits<double>::quiet_NaN());
    std::vector<double> wedge_draws = even_draws;
    for (std::size_t i = 0; i < draws; ++i) {
        const PrincipalPlane drawn = plane_of(pca_of_gram(random_direction_cosines(n, n_embd, rng), 2));
        if (drawn.plane.size() == 0) {
            continue;
        }
        even_draws[i] = even.r_squared(drawn.plane);
        if (wedges != nullptr) {
            wedge_draws[i] = wedges->r_squared(drawn.plane);
        }
    }
    return {null_of(even_draws, confidence), null_of(wedge_draws, confidence)};
}

} // namespace valuelens
