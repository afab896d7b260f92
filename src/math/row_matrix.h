#pragma once

#include <Eigen/Core>

namespace valuelens {

/// A table of doubles, one row (sample) after the other in memory.
using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

} // namespace valuelens
