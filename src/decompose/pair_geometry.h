#pragma once

#include <span>
#include <vector>

#include "valuelens/decompose.h"

namespace valuelens {

/// The axes of one value at one layer, each [n_embd]; NaN throughout where undefined.
struct PairAxes {
    PairGeometry geometry; ///< without intervals and stabilities
    std::vector<double> shared;
    std::vector<double> intrinsic; ///< the unique axis u_diff; the prompted one is its negative
    std::vector<double> intrinsic_orth;
    std::vector<double> prompted_orth;
};

/// SVD and orthogonalised pair of two vectors [n_embd] (design: SVD, Orthogonalised pair), in double.
///
/// `normalize` puts unit vectors into the SVD alone: norms, cosine and the orthogonalised pair are those of the vectors
/// as they are. Under it the first axis is the sum of the directions for vectors at less than a right angle, and their
/// difference beyond it.
PairAxes analyse_pair(std::span<const float> intrinsic, std::span<const float> prompted, bool normalize);

} // namespace valuelens
