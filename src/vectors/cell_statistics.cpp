#include "vectors/cell_statistics.h"

#include <cmath>
#include <limits>
#include <utility>

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

CellStatistics compare_classes(const ActivationSource & source, std::size_t layer, const Cell & cell,
                               const QueryPlan & plan, double confidence, const std::stop_token & stop) {
    const ClassSums sums = sum_classes(source, layer, cell, {0, source.n_embd()}, stop);
    CellStatistics result;

    // The vector over all responses.
    result.vector = difference_of_means(sums, cell);

    // The same of every resample and of every half.
    RowMatrix weighted = weighted_differences(sums, cell, plan.group_weights);
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
