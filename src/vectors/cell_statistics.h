#pragma once

#include <cstddef>
#include <limits>
#include <stop_token>

#include "contrast/activation_source.h"
#include "contrast/cell.h"
#include "contrast/query_plan.h"

namespace valuelens {

/// What one layer says about one value and condition.
struct CellStatistics {
    Eigen::VectorXd vector; ///< [n_embd] mean over class 1 minus mean over class 0
    RowMatrix resampled;    ///< [bootstraps, n_embd] the same of each resample; rows of NaN where a class is empty
    Estimate norm;
    double split_half_cosine = std::numeric_limits<double>::quiet_NaN();
    Estimate auroc;
};

/// Reads the cell's responses at one layer (once, held-out ones twice) and compares its classes, both of which must
/// have responses. Throws Error(interrupted) on a stop request.
CellStatistics compare_classes(const ActivationSource & source, std::size_t layer, const Cell & cell,
                               const QueryPlan & plan, double confidence, const std::stop_token & stop);

} // namespace valuelens
