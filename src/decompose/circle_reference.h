#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "math/row_matrix.h"
#include "valuelens/decompose.h"

namespace valuelens {

/// Distance of two angles on the circle, degrees in [0, 180].
double angle_distance(double a, double b);

/// A theoretical circle with what its fits are compared with.
class CircleReference {
public:
    /// `angles`: degrees, at least 3, not all equal. `seed`: of the permutations; equal seeds give equal permutations.
    CircleReference(std::span<const double> angles, std::size_t permutations, std::uint64_t seed);

    /// R^2 of `plane` [n, 2] (in standard form) and its p; `null` is left out.
    CircleFit fit(const RowMatrix & plane) const;

    double r_squared(const RowMatrix & plane) const;

    /// (cos, sin) of the angles, [n, 2].
    const RowMatrix & points() const { return points_; }

    /// Share of all orders of the angles that fit as well as the stated one whatever the data (turns, mirror images,
    /// equal angles): p cannot be expected below it. 0 where it is negligible (more than 7 angles).
    double symmetric_share() const;

private:
    RowMatrix points_;
    RowMatrix standard_;              ///< points in standard form
    std::vector<RowMatrix> permuted_; ///< standard_ with its rows dealt anew
};

/// The first two principal components of `rows` [n, n_embd] in standard form, and how much they explain.
struct PrincipalPlane {
    RowMatrix plane; ///< [n, 2]; empty where all rows are equal
    double explained_1 = 0;
    double explained_2 = 0;
};
PrincipalPlane principal_plane(const RowMatrix & rows);

/// Nulls of R^2 against both circles (`wedges` may be null) from the same draws of n random directions.
struct CircleNulls {
    Null even;
    Null wedges;
};
CircleNulls circle_nulls(const CircleReference & even, const CircleReference * wedges, std::size_t n_embd,
                         std::size_t draws, double confidence, std::uint64_t seed);

} // namespace valuelens
