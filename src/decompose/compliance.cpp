#include "decompose/compliance.h"

#include <algorithm>
#include <vector>

#include "base/random.h"
#include "decompose/null.h"
#include "math/random_directions.h"

namespace valuelens {
namespace {

/// sum_s (x[s].m^)^2 / sum_s |x[s]|^2 from the inner products of the x, m their mean.
double explained_by_mean(const RowMatrix & gram) {
    const Eigen::VectorXd along_mean = gram.rowwise().mean(); // x[s].m
    const double mean_squared = along_mean.mean();            // |m|^2
    const double total = gram.trace();
    constexpr double rounding = 1e-12;
    if (!(mean_squared > rounding * total)) {
        return std::numeric_limits<double>::quiet_NaN();
    }
    return std::min(along_mean.squaredNorm() / mean_squared / total, 1.0);
}

} // namespace

ComplianceStatistics compliance_statistics_of_gram(const RowMatrix & gram) {
    if (!gram.allFinite()) {
        return {};
    }
    std::vector<Eigen::Index> kept;
    for (Eigen::Index i = 0; i < gram.rows(); ++i) {
        if (gram(i, i) > 0) {
            kept.push_back(i);
        }
    }
    if (kept.size() < 2) {
        return {};
    }
    const RowMatrix inner = gram(kept, kept);
    const Eigen::VectorXd scale = inner.diagonal().cwiseSqrt().cwiseInverse();
    const RowMatrix cosines = scale.asDiagonal() * inner * scale.asDiagonal();
    const auto n = static_cast<double>(kept.size());
    return {explained_by_mean(inner), explained_by_mean(cosines), (cosines.sum() - cosines.trace()) / (n * (n - 1))};
}

ComplianceStatistics compliance_statistics(const RowMatrix & deltas) {
    return compliance_statistics_of_gram(deltas * deltas.transpose());
}

ComplianceNull compliance_null(std::span<const double> lengths, std::size_t n_embd, std::size_t draws,
                               double confidence, std::uint64_t seed) {
    Rng rng(derive_seed(seed, "compliance null"));
    const Eigen::Map<const Eigen::VectorXd> length(lengths.data(), static_cast<Eigen::Index>(lengths.size()));
    std::vector<double> explained;
    std::vector<double> explained_unit;
    std::vector<double> mean_cosine;
    for (std::size_t i = 0; i < draws; ++i) {
        const RowMatrix cosines = random_direction_cosines(lengths.size(), n_embd, rng);
        const ComplianceStatistics drawn =
            compliance_statistics_of_gram(length.asDiagonal() * cosines * length.asDiagonal());
        explained.push_back(drawn.explained);
        explained_unit.push_back(drawn.explained_unit);
        mean_cosine.push_back(drawn.mean_cosine);
    }
    return {null_of(explained, confidence), null_of(explained_unit, confidence), null_of(mean_cosine, confidence)};
}

} // namespace valuelens
