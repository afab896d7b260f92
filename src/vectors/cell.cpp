#include "vectors/cell.h"

#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "base/fail.h"
#include "math/auroc.h"
#include "math/bootstrap.h"
#include "math/vector_ops.h"

namespace valuelens {
namespace {

constexpr double undefined = std::numeric_limits<double>::quiet_NaN();

Estimate with_interval(double value, const std::vector<double> & resampled, double confidence) {
    const Interval interval = percentile_interval(resampled, confidence);
    return {value, interval.low, interval.high};
}

/// Sums over responses, per class.
struct ClassSums {
    std::array<RowMatrix, 2> slots;        ///< [class] [n_slot, n_embd]
    std::array<Eigen::VectorXd, 2> fitted; ///< [class] [n_embd] without held-out queries
};

ClassSums sum_classes(const ActivationSource & source, std::size_t layer, const Cell & cell,
                      const std::stop_token & stop) {
    const auto n_embd = static_cast<Eigen::Index>(source.n_embd());
    ClassSums sums;
    for (std::size_t k = 0; k < 2; ++k) {
        sums.slots[k] = RowMatrix::Zero(static_cast<Eigen::Index>(cell.slot_group[k].size()), n_embd);
        sums.fitted[k] = Eigen::VectorXd::Zero(n_embd);
    }
    Eigen::VectorXf activation(n_embd);
    for (const Cell::Entry & entry : cell.entries) {
        check_stop(stop);
        source.read(entry.row, layer, {activation.data(), source.n_embd()});
        sums.slots[entry.expresses].row(entry.slot) += activation.cast<double>();
        if (entry.held_out == QueryPlan::fitted) {
            sums.fitted[entry.expresses] += activation.cast<double>();
        }
    }
    return sums;
}

/// [n_weighting, n_embd] weighted mean of a class under each weighting of the groups; NaN where it has no weight.
RowMatrix weighted_means(const RowMatrix & slot_sums, const Cell & cell, std::size_t k,
                         const RowMatrix & group_weights) {
    RowMatrix weights(group_weights.rows(), slot_sums.rows());
    Eigen::VectorXd total = Eigen::VectorXd::Zero(group_weights.rows());
    for (Eigen::Index slot = 0; slot < slot_sums.rows(); ++slot) {
        const auto s = static_cast<std::size_t>(slot);
        weights.col(slot) = group_weights.col(cell.slot_group[k][s]);
        total += weights.col(slot) * static_cast<double>(cell.slot_count[k][s]);
    }
    RowMatrix means = weights * slot_sums;
    for (Eigen::Index i = 0; i < means.rows(); ++i) {
        if (total[i] > 0) {
            means.row(i) /= total[i];
        } else {
            means.row(i).setConstant(undefined);
        }
    }
    return means;
}

double mean_split_half_cosine(const RowMatrix & halves) {
    double sum = 0;
    int defined = 0;
    for (Eigen::Index i = 0; i + 1 < halves.rows(); i += 2) {
        const double value =
            cosine_of(halves.row(i).dot(halves.row(i + 1)), halves.row(i).norm(), halves.row(i + 1).norm());
        if (!std::isnan(value)) {
            sum += value;
            ++defined;
        }
    }
    return defined > 0 ? sum / defined : undefined;
}

/// AUROC of a.v on the held-out responses, v = difference of the fitted means.
Estimate held_out_auroc(const ActivationSource & source, std::size_t layer, const Cell & cell, const QueryPlan & plan,
                        const ClassSums & sums, double confidence, const std::stop_token & stop) {
    const std::array<std::size_t, 2> n_fitted{cell.count[0] - cell.held_out_count[0],
                                              cell.count[1] - cell.held_out_count[1]};
    if (n_fitted[0] == 0 || n_fitted[1] == 0 || cell.held_out_count[0] == 0 || cell.held_out_count[1] == 0) {
        return {};
    }
    const Eigen::VectorXd direction =
        sums.fitted[1] / static_cast<double>(n_fitted[1]) - sums.fitted[0] / static_cast<double>(n_fitted[0]);
    std::vector<double> scores;
    std::vector<std::uint8_t> positive;
    std::vector<std::size_t> query;
    Eigen::VectorXf activation(static_cast<Eigen::Index>(source.n_embd()));
    for (const Cell::Entry & entry : cell.entries) {
        if (entry.held_out != QueryPlan::fitted) {
            check_stop(stop);
            source.read(entry.row, layer, {activation.data(), source.n_embd()});
            scores.push_back(activation.cast<double>().dot(direction));
            positive.push_back(entry.expresses);
            query.push_back(static_cast<std::size_t>(entry.held_out));
        }
    }

    const Auroc area(scores, positive);
    std::vector<double> resampled;
    std::vector<std::uint32_t> weights(query.size());
    for (const std::vector<std::uint32_t> & of_query : plan.held_out_weights) {
        for (std::size_t i = 0; i < query.size(); ++i) {
            weights[i] = of_query[query[i]];
        }
        resampled.push_back(area.value(weights));
    }
    return with_interval(area.value(), resampled, confidence);
}

} // namespace

void check_stop(const std::stop_token & stop) {
    if (stop.stop_requested()) {
        fail(ErrorKind::interrupted, "stopped while value vectors were computed; run the same command again");
    }
}

std::size_t Cell::bytes(std::size_t n_embd, const QueryPlan & plan) const {
    const std::size_t slots = slot_group[0].size() + slot_group[1].size();
    const auto weightings = static_cast<std::size_t>(plan.group_weights.rows());
    return sizeof(double) * (slots * (n_embd + weightings) + 3 * weightings * n_embd);
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

CellStatistics compare_classes(const ActivationSource & source, std::size_t layer, const Cell & cell,
                               const QueryPlan & plan, double confidence, const std::stop_token & stop) {
    const ClassSums sums = sum_classes(source, layer, cell, stop);
    CellStatistics result;

    // The vector over all responses.
    result.vector = (sums.slots[1].colwise().sum() / static_cast<double>(cell.count[1]) -
                     sums.slots[0].colwise().sum() / static_cast<double>(cell.count[0]))
                        .transpose();

    // The same of every resample and of every half.
    RowMatrix weighted = weighted_means(sums.slots[1], cell, 1, plan.group_weights);
    weighted -= weighted_means(sums.slots[0], cell, 0, plan.group_weights);
    const auto n_bootstrap = static_cast<Eigen::Index>(plan.n_bootstrap);
    result.split_half_cosine = mean_split_half_cosine(weighted.bottomRows(weighted.rows() - n_bootstrap));
    weighted.conservativeResize(n_bootstrap, Eigen::NoChange);
    result.resampled = std::move(weighted);

    const Eigen::VectorXd norms = result.resampled.rowwise().norm();
    result.norm = with_interval(result.vector.norm(), {norms.begin(), norms.end()}, confidence);
    result.auroc = held_out_auroc(source, layer, cell, plan, sums, confidence, stop);
    return result;
}

} // namespace valuelens
