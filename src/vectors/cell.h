#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <stop_token>
#include <vector>

#include "vectors/compute.h"
#include "vectors/query_plan.h"

namespace valuelens {

/// The labelled responses of one value and condition. Class 0: not expressing, 1: expressing.
struct Cell {
    struct Entry {
        std::size_t row;       ///< in the source
        std::uint32_t slot;    ///< among the groups its class occurs in
        std::int32_t held_out; ///< place of its query among the held-out ones, or QueryPlan::fitted
        bool expresses;
    };
    std::vector<Entry> entries;
    std::array<std::vector<std::uint32_t>, 2> slot_group; ///< [class][slot] the group
    std::array<std::vector<std::size_t>, 2> slot_count;   ///< [class][slot] responses in it
    std::array<std::size_t, 2> count{};                   ///< [class]
    std::array<std::size_t, 2> held_out_count{};          ///< [class] of these, those of held-out queries

    /// Working memory of compare_classes() for this cell, in bytes.
    std::size_t bytes(std::size_t n_embd, const QueryPlan & plan) const;
};

/// Cells of all values and conditions, [n_value, 2], value-major.
std::vector<Cell> make_cells(std::span<const LabelledResponse> responses, std::size_t n_values, const QueryPlan & plan);

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

/// Throws Error(interrupted) when a stop was requested.
void check_stop(const std::stop_token & stop);

} // namespace valuelens
