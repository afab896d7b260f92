#include "math/random_directions.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace valuelens {

double chi_squared(Rng & rng, std::size_t degrees) {
    assert(degrees >= 1);
    if (degrees == 1) {
        const double x = rng.normal();
        return x * x;
    }
    // Twice a gamma of shape degrees / 2 >= 1, by rejection from a cubed normal.
    const double d = static_cast<double>(degrees) / 2 - 1.0 / 3;
    const double c = 1 / std::sqrt(9 * d);
    for (;;) {
        const double x = rng.normal();
        const double root = 1 + c * x;
        if (root <= 0) {
            continue;
        }
        const double v = root * root * root;
        if (std::log(1 - rng.uniform()) < x * x / 2 + d * (1 - v + std::log(v))) {
            return 2 * d * v;
        }
    }
}

RowMatrix random_direction_cosines(std::size_t n, std::size_t dimension, Rng & rng) {
    assert(dimension >= 1);
    // Beyond the dimension there is no diagonal: those rows are plain normals.
    const std::size_t width = std::min(n, dimension);
    RowMatrix factor = RowMatrix::Zero(static_cast<Eigen::Index>(n), static_cast<Eigen::Index>(width));
    for (std::size_t i = 0; i < n; ++i) {
        auto row = factor.row(static_cast<Eigen::Index>(i));
        for (std::size_t j = 0; j < std::min(i, width); ++j) {
            row[static_cast<Eigen::Index>(j)] = rng.normal();
        }
        if (i < width) {
            row[static_cast<Eigen::Index>(i)] = std::sqrt(chi_squared(rng, dimension - i));
        }
        row.normalize();
    }
    return factor * factor.transpose();
}

} // namespace valuelens
