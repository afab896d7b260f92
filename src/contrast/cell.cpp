#include "contrast/cell.h"

#include <limits>
#include <map>

#include "base/fail.h"

namespace valuelens {
namespace {

/// [n_weighting] responses of a class under each weighting of the groups.
Eigen::VectorXd weighted_counts(const Cell & cell, std::size_t k, const RowMatrix & group_weights) {
    Eigen::VectorXd total = Eigen::VectorXd::Zero(group_weights.rows());
    for (std::size_t slot = 0; slot < cell.slot_group[k].size(); ++slot) {
        total += group_weights.col(cell.slot_group[k][slot]) * static_cast<double>(cell.slot_count[k][slot]);
    }
    return total;
}

/// [n_weighting, n_column] weighted mean of a class under each weighting of the groups; NaN where it has no weight.
RowMatrix weighted_means(const RowMatrix & slot_sums, const Cell & cell, std::size_t k,
                         const RowMatrix & group_weights) {
    RowMatrix weights(group_weights.rows(), slot_sums.rows());
    for (Eigen::Index slot = 0; slot < slot_sums.rows(); ++slot) {
        weights.col(slot) = group_weights.col(cell.slot_group[k][static_cast<std::size_t>(slot)]);
    }
    const Eigen::VectorXd total = weighted_counts(cell, k, group_weights);
    RowMatrix means = weights * slot_sums;
    for (Eigen::Index i = 0; i < means.rows(); ++i) {
        if (total[i] > 0) {
            means.row(i) /= total[i];
        } else {
            means.row(i).setConstant(std::numeric_limits<double>::quiet_NaN());
        }
    }
    return means;
}

} // namespace

std::size_t count_empty_resamples(const Cell & cell, const QueryPlan & plan) {
    const auto n = static_cast<Eigen::Index>(plan.n_bootstrap);
    const Eigen::VectorXd without = weighted_counts(cell, 0, plan.group_weights.topRows(n));
    const Eigen::VectorXd with = weighted_counts(cell, 1, plan.group_weights.topRows(n));
    return static_cast<std::size_t>((without.array() == 0 || with.array() == 0).count());
}

void check_stop(const std::stop_token & stop) {
    if (stop.stop_requested()) {
        fail(ErrorKind::interrupted, "stopped while responses were compared; run the same command again");
    }
}

std::size_t Cell::bytes(std::size_t n_column, const QueryPlan & plan) const {
    const std::size_t slots = slot_group[0].size() + slot_group[1].size();
    const auto weightings = static_cast<std::size_t>(plan.group_weights.rows());
    return sizeof(double) * (slots * (n_column + weightings) + 3 * weightings * n_column);
}

std::vector<Cell> make_cells(std::span<const LabelledResponse> responses, std::size_t n_values,
                             const QueryPlan & plan) {
    std::vector<Cell> cells(n_values * 2);
    std::vector<std::array<std::map<std::uint32_t, std::uint32_t>, 2>> slots(cells.size());
    for (std::size_t i = 0; i < responses.size(); ++i) {
        const std::uint32_t query = plan.query_of[i];
        const std::uint32_t group = plan.group_of[query];
        for (const auto & [value, expresses] : responses[i].labels) {
            if (value >= n_values) {
                fail(ErrorKind::internal, "a label names value {} of {}", value, n_values);
            }
            const std::size_t place = value * 2 + static_cast<std::size_t>(responses[i].condition);
            Cell & cell = cells[place];
            const auto fresh = static_cast<std::uint32_t>(cell.slot_group[expresses].size());
            const auto [slot, added] = slots[place][expresses].emplace(group, fresh);
            if (added) {
                cell.slot_group[expresses].push_back(group);
                cell.slot_count[expresses].push_back(0);
            }
            ++cell.slot_count[expresses][slot->second];
            ++cell.count[expresses];
            cell.held_out_count[expresses] += plan.held_out_of[query] != QueryPlan::fitted;
            cell.entries.push_back({responses[i].row, slot->second, plan.held_out_of[query], expresses});
        }
    }
    return cells;
}

ClassSums sum_classes(const ActivationSource & source, std::size_t layer, const Cell & cell, const Columns & columns,
                      const std::stop_token & stop) {
    const auto first = static_cast<Eigen::Index>(columns.first);
    const auto count = static_cast<Eigen::Index>(columns.count);
    const bool any_held_out = cell.held_out_count[0] + cell.held_out_count[1] > 0;
    ClassSums sums;
    for (std::size_t k = 0; k < 2; ++k) {
        sums.slots[k] = RowMatrix::Zero(static_cast<Eigen::Index>(cell.slot_group[k].size()), count);
        sums.fitted[k] = Eigen::VectorXd::Zero(any_held_out ? count : 0);
    }
    Eigen::VectorXf activation(static_cast<Eigen::Index>(source.n_embd()));
    for (const Cell::Entry & entry : cell.entries) {
        check_stop(stop);
        source.read(entry.row, layer, {activation.data(), source.n_embd()});
        sums.slots[entry.expresses].row(entry.slot) += activation.segment(first, count).cast<double>();
        if (any_held_out && entry.held_out == QueryPlan::fitted) {
            sums.fitted[entry.expresses] += activation.segment(first, count).cast<double>();
        }
    }
    return sums;
}

Eigen::VectorXd difference_of_means(const ClassSums & sums, const Cell & cell) {
    return (sums.slots[1].colwise().sum() / static_cast<double>(cell.count[1]) -
            sums.slots[0].colwise().sum() / static_cast<double>(cell.count[0]))
        .transpose();
}

RowMatrix weighted_differences(const ClassSums & sums, const Cell & cell, const RowMatrix & group_weights) {
    RowMatrix differences = weighted_means(sums.slots[1], cell, 1, group_weights);
    differences -= weighted_means(sums.slots[0], cell, 0, group_weights);
    return differences;
}

} // namespace valuelens
