#include "decompose/intervals.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>

#include "decompose/compliance.h"
#include "math/bootstrap.h"
#include "math/pair_svd.h"
#include "math/parallel_for.h"
#include "math/vector_ops.h"

namespace valuelens {
namespace {

constexpr double undefined = std::numeric_limits<double>::quiet_NaN();

/// Part of the result's definition: sums are added up in this grouping.
constexpr std::size_t block_columns = 1024;

using Products = Eigen::ArrayXd; ///< [n_bootstrap]

/// Inner products of one value's resampled pair.
struct PairProducts {
    Products int_int, int_prompted, prompted_prompted;
    Products int_shared, prompted_shared; ///< with the axes of all data
    Products int_unique, prompted_unique;
};

/// What one layer's resamples come down to.
struct LayerProducts {
    std::vector<PairProducts> pairs; ///< [n_used]
    std::vector<Products> deltas;    ///< [n_used (n_used + 1) / 2] of delta s with delta t <= s
};

LayerProducts zero_products(std::size_t n_used, std::size_t n_bootstrap) {
    const Products zero = Products::Zero(static_cast<Eigen::Index>(n_bootstrap));
    return {std::vector<PairProducts>(n_used, {zero, zero, zero, zero, zero, zero, zero}),
            std::vector<Products>(n_used * (n_used + 1) / 2, zero)};
}

Products row_products(const RowMatrix & a, const RowMatrix & b) {
    return a.cwiseProduct(b).rowwise().sum().array();
}

/// Bytes that a thread needs for one block.
std::size_t block_bytes(std::span<const Cell> cells, const std::vector<std::size_t> & used, const QueryPlan & plan,
                        std::size_t columns) {
    std::size_t largest = 0;
    for (const std::size_t value : used) {
        largest = std::max({largest, cells[2 * value].bytes(columns, plan), cells[2 * value + 1].bytes(columns, plan)});
    }
    const std::size_t kept = used.size() + 2; // deltas, a pair
    const std::size_t per_resample = 7 * used.size() + used.size() * (used.size() + 1) / 2;
    return std::max<std::size_t>(largest + plan.n_bootstrap * sizeof(double) * (kept * columns + per_resample), 1);
}

/// Mean over the defined ones; NaN where more than half are not.
double mean_of_defined(const std::vector<double> & values) {
    double sum = 0;
    std::size_t defined = 0;
    for (const double value : values) {
        if (!std::isnan(value)) {
            sum += value;
            ++defined;
        }
    }
    return defined == 0 || 2 * defined < values.size() ? undefined : sum / static_cast<double>(defined);
}

void set_interval(Estimate & estimate, const std::vector<double> & resampled, double confidence) {
    const Interval interval = percentile_interval(resampled, confidence);
    estimate.low = interval.low;
    estimate.high = interval.high;
}

/// Cosine, sigma ratio and axes of every resample of a pair.
void add_pair_intervals(PairGeometry & geometry, const PairProducts & products, const DecomposeOptions & options) {
    std::vector<double> cosines;
    std::vector<double> ratios;
    std::vector<double> shared;
    std::vector<double> unique;
    for (Eigen::Index b = 0; b < products.int_int.size(); ++b) {
        const double norm_int = std::sqrt(products.int_int[b]);
        const double norm_prompted = std::sqrt(products.prompted_prompted[b]);
        cosines.push_back(cosine_of(products.int_prompted[b], norm_int, norm_prompted));
        const double unit_int = options.normalize ? norm_int : 1;
        const double unit_prompted = options.normalize ? norm_prompted : 1;
        const PairSvd svd = options.normalize ? pair_svd_of_products(1, cosines.back(), 1)
                                              : pair_svd_of_products(products.int_int[b], products.int_prompted[b],
                                                                     products.prompted_prompted[b]);
        ratios.push_back(svd.sigma_2 / svd.sigma_1);
        const auto likeness = [&](const std::array<double, 2> & axis, double with_int, double with_prompted) {
            return svd.defect == PairDefect::none
                       ? std::abs(axis[0] * with_int / unit_int + axis[1] * with_prompted / unit_prompted)
                       : undefined;
        };
        shared.push_back(likeness(svd.first, products.int_shared[b], products.prompted_shared[b]));
        unique.push_back(likeness(svd.second, products.int_unique[b], products.prompted_unique[b]));
    }
    set_interval(geometry.cosine, cosines, options.confidence);
    set_interval(geometry.sigma_ratio, ratios, options.confidence);
    if (geometry.undefined.empty()) {
        geometry.stability_shared = std::min(mean_of_defined(shared), 1.0);
        geometry.stability_unique = std::min(mean_of_defined(unique), 1.0);
    }
}

void add_compliance_intervals(ComplianceLayer & layer, const LayerProducts & products, double confidence) {
    const auto n = static_cast<Eigen::Index>(products.pairs.size());
    std::vector<double> explained;
    std::vector<double> explained_unit;
    std::vector<double> mean_cosine;
    RowMatrix gram(n, n);
    for (Eigen::Index b = 0; b < products.deltas.front().size(); ++b) {
        std::size_t place = 0;
        for (Eigen::Index s = 0; s < n; ++s) {
            for (Eigen::Index t = 0; t <= s; ++t) {
                gram(s, t) = gram(t, s) = products.deltas[place++][b];
            }
        }
        // As for the estimate, which leaves out a value without vectors at this layer.
        std::vector<Eigen::Index> defined;
        for (Eigen::Index i = 0; i < n; ++i) {
            if (std::isfinite(gram(i, i))) {
                defined.push_back(i);
            }
        }
        const ComplianceStatistics statistics = compliance_statistics_of_gram(gram(defined, defined));
        explained.push_back(statistics.explained);
        explained_unit.push_back(statistics.explained_unit);
        mean_cosine.push_back(statistics.mean_cosine);
    }
    set_interval(layer.explained, explained, confidence);
    set_interval(layer.explained_unit, explained_unit, confidence);
    set_interval(layer.mean_cosine, mean_cosine, confidence);
}

} // namespace

void add_intervals(AxisSet & set, const ActivationSource & source, std::span<const Cell> cells, const QueryPlan & plan,
                   ProgressSink & progress, const std::stop_token & stop) {
    std::vector<std::size_t> used;
    for (std::size_t value = 0; value < set.axes.size(); ++value) {
        if (set.axes[value].problem.empty()) {
            used.push_back(value);
        }
    }
    const std::size_t width = std::min(set.n_embd, block_columns);
    const std::size_t n_block = (set.n_embd + width - 1) / width;

    std::mutex mutex;
    std::size_t done = 0;
    const auto resampled = [&](std::size_t layer, std::size_t cell, const Columns & columns) {
        return weighted_differences(sum_classes(source, layer, cells[cell], columns, stop), cells[cell],
                                    plan.group_weights);
    };
    const auto add_block = [&](LayerProducts & products, std::size_t layer, const Columns & columns) {
        std::vector<RowMatrix> deltas;
        for (std::size_t i = 0; i < used.size(); ++i) {
            // Resample the pair and take its products with itself and with the axes.
            const ValueAxes & axes = set.axes[used[i]];
            const auto axis = [&](const std::vector<float> & tensor) -> Eigen::VectorXd {
                const Eigen::Map<const Eigen::VectorXf> part(tensor.data() + layer * set.n_embd + columns.first,
                                                             static_cast<Eigen::Index>(columns.count));
                return part.cast<double>();
            };
            const Eigen::VectorXd shared = axis(axes.shared);
            const Eigen::VectorXd unique = axis(axes.intrinsic);
            const RowMatrix v_int = resampled(layer, 2 * used[i], columns);
            RowMatrix v_prompted = resampled(layer, 2 * used[i] + 1, columns);
            PairProducts & pair = products.pairs[i];
            pair.int_int += row_products(v_int, v_int);
            pair.int_prompted += row_products(v_int, v_prompted);
            pair.prompted_prompted += row_products(v_prompted, v_prompted);
            pair.int_shared += (v_int * shared).array();
            pair.int_unique += (v_int * unique).array();
            pair.prompted_shared += (v_prompted * shared).array();
            pair.prompted_unique += (v_prompted * unique).array();

            // Its delta meets those of the values before it.
            v_prompted -= v_int;
            deltas.push_back(std::move(v_prompted));
            for (std::size_t j = 0; j <= i; ++j) {
                products.deltas[i * (i + 1) / 2 + j] += row_products(deltas[i], deltas[j]);
            }
            const std::lock_guard lock(mutex);
            progress.advance(++done);
        }
    };

    const std::size_t affordable = set.options.memory_mb * 1024 * 1024 / block_bytes(cells, used, plan, width);
    const auto threads = static_cast<unsigned>(
        std::min<std::size_t>(thread_count(set.options.threads), std::max<std::size_t>(affordable, 1)));
    progress.start("resamples", set.n_layer * n_block * used.size(), "parts");
    try {
        parallel_for(set.n_layer, threads, [&](std::size_t layer) {
            LayerProducts products = zero_products(used.size(), plan.n_bootstrap);
            for (std::size_t first = 0; first < set.n_embd; first += width) {
                add_block(products, layer, {first, std::min(width, set.n_embd - first)});
            }
            for (std::size_t i = 0; i < used.size(); ++i) {
                add_pair_intervals(set.axes[used[i]].layers[layer], products.pairs[i], set.options);
            }
            add_compliance_intervals(set.compliance_layers[layer], products, set.options.confidence);
        });
    } catch (...) {
        progress.finish();
        throw;
    }
    progress.finish();
}

} // namespace valuelens
