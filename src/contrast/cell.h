#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stop_token>
#include <vector>

#include "contrast/activation_source.h"
#include "contrast/query_plan.h"

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

    /// Working memory of sum_classes() and weighted_differences() for this cell over so many columns, in bytes.
    std::size_t bytes(std::size_t n_column, const QueryPlan & plan) const;
};

/// Cells of all values and conditions, [n_value, 2], value-major.
std::vector<Cell> make_cells(std::span<const LabelledResponse> responses, std::size_t n_values, const QueryPlan & plan);

/// A range of the columns (elements) of an activation.
struct Columns {
    std::size_t first = 0;
    std::size_t count = 0;
};

/// Sums over the responses of a cell, per class.
struct ClassSums {
    std::array<RowMatrix, 2> slots; ///< [class] [n_slot, n_column]
    std::array<Eigen::VectorXd, 2>
        fitted; ///< [class] [n_column] without held-out queries; empty where none is held out
};

/// Reads the cell's responses at one layer, once. Throws Error(interrupted) on a stop request.
ClassSums sum_classes(const ActivationSource & source, std::size_t layer, const Cell & cell, const Columns & columns,
                      const std::stop_token & stop);

/// [n_column] mean over class 1 minus mean over class 0; both have responses.
Eigen::VectorXd difference_of_means(const ClassSums & sums, const Cell & cell);

/// [n_weighting, n_column] the same under each weighting of the groups ([n_weighting, n_group]); rows of NaN where a
/// class has no weight.
RowMatrix weighted_differences(const ClassSums & sums, const Cell & cell, const RowMatrix & group_weights);

/// How many of the plan's bootstrap resamples hold no response of one of the cell's classes: nothing is known of them.
std::size_t count_empty_resamples(const Cell & cell, const QueryPlan & plan);

/// Throws Error(interrupted) when a stop was requested.
void check_stop(const std::stop_token & stop);

} // namespace valuelens
