#include "vectors/from_slice_sums.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <optional>

#include "base/fail.h"
#include "base/random.h"
#include "contrast/slice_sums.h"
#include "math/bootstrap.h"
#include "math/row_matrix.h"
#include "math/vector_ops.h"
#include "vectors/problems.h"

namespace valuelens {

namespace {

using Weights = std::vector<std::uint32_t>; ///< [n_slice]

/// Fewer resampled slices say nothing about the spread: of two, half of all resamples are one of them twice.
constexpr std::size_t enough_slices = 8;

/// One value and condition over all slices.
struct Cell {
    std::vector<std::array<std::size_t, 2>> count;              ///< [n_slice][class]
    std::vector<std::array<const std::vector<float> *, 2>> sum; ///< [n_slice][class], null where there is none
    std::array<std::size_t, 2> total{};                         ///< [class]
};

/// Mean over class 1 minus mean over class 0 at one layer, [n_embd]; nothing where a class has no weight.
std::optional<Eigen::VectorXd> difference(const Cell & cell, std::size_t layer, std::size_t n_embd,
                                          const Weights & weights) {
    std::array<Eigen::VectorXd, 2> means;
    for (std::size_t expresses = 0; expresses < 2; ++expresses) {
        Eigen::VectorXd sum = Eigen::VectorXd::Zero(static_cast<Eigen::Index>(n_embd));
        double count = 0;
        for (std::size_t slice = 0; slice < weights.size(); ++slice) {
            if (weights[slice] == 0 || cell.count[slice][expresses] == 0) {
                continue;
            }
            const Eigen::Map<const Eigen::VectorXf> part(cell.sum[slice][expresses]->data() + layer * n_embd,
                                                         static_cast<Eigen::Index>(n_embd));
            sum += weights[slice] * part.cast<double>();
            count += weights[slice] * static_cast<double>(cell.count[slice][expresses]);
        }
        if (count == 0) {
            return std::nullopt;
        }
        means[expresses] = sum / count;
    }
    return means[1] - means[0];
}

double cosine_between(const std::optional<Eigen::VectorXd> & a, const std::optional<Eigen::VectorXd> & b) {
    return a && b ? cosine_of(a->dot(*b), a->norm(), b->norm()) : std::numeric_limits<double>::quiet_NaN();
}

/// Slices dealt at random into two halves, as weights.
std::vector<std::pair<Weights, Weights>> make_halves(std::size_t n_slice, std::size_t n_split, std::uint64_t seed) {
    std::vector<std::pair<Weights, Weights>> halves;
    for (std::size_t split = 0; n_slice >= 2 && split < n_split; ++split) {
        std::vector<std::size_t> order(n_slice);
        std::iota(order.begin(), order.end(), std::size_t{0});
        Rng rng(derive_seed(seed, fmt::format("slice halves {}", split)));
        rng.shuffle(order);
        Weights first(n_slice, 0);
        Weights second(n_slice, 0);
        for (std::size_t i = 0; i < n_slice; ++i) {
            (i < n_slice / 2 ? first : second)[order[i]] = 1;
        }
        halves.emplace_back(std::move(first), std::move(second));
    }
    return halves;
}

Estimate estimate(double value, const std::vector<double> & resampled, double confidence) {
    const Interval interval = percentile_interval(resampled, confidence);
    return {value, interval.low, interval.high};
}

} // namespace

ValueVectorSet vectors_from_slice_sums(const std::vector<std::filesystem::path> & files,
                                       const std::vector<std::string> & values, const VectorOptions & options,
                                       ProgressSink & progress, std::stop_token stop) {
    if (!(options.confidence > 0 && options.confidence < 1)) {
        fail(ErrorKind::usage, "confidence is {}, expected a number between 0 and 1", options.confidence);
    }
    if (files.empty()) {
        fail(ErrorKind::bad_input, "there are no sums to make vectors of");
    }
    ValueVectorSet set;
    std::vector<SliceSums> slices;
    for (const std::filesystem::path & file : files) {
        Provenance provenance;
        slices.push_back(SliceSums::read(file, provenance));
        const SliceSums & slice = slices.back();
        if (slices.size() == 1) {
            set.provenance = provenance;
        }
        if (provenance.model_hash != set.provenance.model_hash || slice.n_layer() != slices[0].n_layer() ||
            slice.n_embd() != slices[0].n_embd()) {
            fail(ErrorKind::bad_input, "{}: is of another model than {}", file.string(), files.front().string());
        }
    }
    set.provenance.tool_version = VALUELENS_VERSION;
    set.options = options;
    set.n_layer = slices[0].n_layer();
    set.n_embd = slices[0].n_embd();
    set.values = values;
    set.resid_norm.resize(set.n_layer);
    set.condition_cosine.resize(values.size() * set.n_layer);
    for (const SliceSums & slice : slices) {
        set.n_responses += slice.n_responses();
    }
    for (std::size_t layer = 0; layer < set.n_layer; ++layer) {
        double sum = 0;
        for (const SliceSums & slice : slices) {
            sum += slice.resid_norm_sum()[layer];
        }
        set.resid_norm[layer] =
            static_cast<float>(sum / static_cast<double>(std::max<std::size_t>(1, set.n_responses)));
    }
    set.notes.push_back(fmt::format(
        "sums only were kept (generate.activations = \"none\"): no AUROC, and intervals resample the {} slices{}",
        slices.size(),
        slices.size() < enough_slices ? fmt::format(", fewer than the {} it takes", enough_slices)
                                      : " in the place of queries"));

    // Counts and problems.
    std::vector<Cell> cells;
    for (const std::string & value : values) {
        for (const Condition condition : {Condition::intrinsic, Condition::prompted}) {
            Cell cell;
            for (const SliceSums & slice : slices) {
                const auto found = slice.cells().find({value, condition});
                auto & count = cell.count.emplace_back();
                auto & sum = cell.sum.emplace_back();
                if (found != slice.cells().end()) {
                    for (std::size_t expresses = 0; expresses < 2; ++expresses) {
                        count[expresses] = found->second.count[expresses];
                        sum[expresses] = &found->second.sum[expresses];
                        cell.total[expresses] += count[expresses];
                    }
                }
            }
            ValueVector & entry = set.vectors.emplace_back();
            entry.value = value;
            entry.condition = condition;
            entry.n_not_expressing = cell.total[0];
            entry.n_expressing = cell.total[1];
            entry.problem = too_few_problem(entry, options.min_count);
            if (!entry.problem.empty()) {
                progress.message(LogLevel::warning, entry.problem);
            } else {
                entry.note = fmt::format("value '{}', condition {}: no AUROC, single responses were not kept", value,
                                         to_string(condition));
                entry.vector.resize(set.n_layer * set.n_embd);
                entry.norm.resize(set.n_layer);
                entry.split_half_cosine.resize(set.n_layer);
                entry.auroc.resize(set.n_layer);
            }
            cells.push_back(std::move(cell));
        }
    }
    require_a_vector(set);
    progress.message(LogLevel::warning, set.notes.back());

    // The same resamples and halves for all values, conditions and layers.
    const Weights all(slices.size(), 1);
    std::vector<Weights> resamples;
    for (std::size_t i = 0; slices.size() >= enough_slices && i < options.bootstraps; ++i) {
        resamples.push_back(bootstrap_weights(slices.size(), i, derive_seed(options.seed, "slice resamples")));
    }
    const auto halves = make_halves(slices.size(), options.split_halves, options.seed);

    progress.start("vectors", values.size() * set.n_layer, "value layers");
    std::size_t done = 0;
    for (std::size_t value = 0; value < values.size(); ++value) {
        for (std::size_t layer = 0; layer < set.n_layer; ++layer) {
            if (stop.stop_requested()) {
                fail(ErrorKind::interrupted, "stopped while computing vectors");
            }
            std::array<std::optional<Eigen::VectorXd>, 2> vectors;
            std::array<std::vector<std::optional<Eigen::VectorXd>>, 2> resampled;
            for (std::size_t e = 0; e < 2; ++e) {
                ValueVector & entry = set.vectors[2 * value + e];
                if (!entry.problem.empty()) {
                    continue;
                }
                const Cell & cell = cells[2 * value + e];
                vectors[e] = difference(cell, layer, set.n_embd, all);
                std::copy(vectors[e]->begin(), vectors[e]->end(),
                          entry.vector.begin() + static_cast<std::ptrdiff_t>(layer * set.n_embd));
                std::vector<double> norms;
                for (const Weights & weights : resamples) {
                    resampled[e].push_back(difference(cell, layer, set.n_embd, weights));
                    norms.push_back(resampled[e].back() ? resampled[e].back()->norm()
                                                        : std::numeric_limits<double>::quiet_NaN());
                }
                entry.norm[layer] = estimate(vectors[e]->norm(), norms, options.confidence);
                double sum = 0;
                std::size_t n = 0;
                for (const auto & [first, second] : halves) {
                    const double cosine = cosine_between(difference(cell, layer, set.n_embd, first),
                                                         difference(cell, layer, set.n_embd, second));
                    sum += std::isnan(cosine) ? 0 : cosine;
                    n += std::isnan(cosine) ? 0 : 1;
                }
                entry.split_half_cosine[layer] =
                    n == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / static_cast<double>(n);
            }
            std::vector<double> cosines;
            for (std::size_t i = 0; i < std::min(resampled[0].size(), resampled[1].size()); ++i) {
                cosines.push_back(cosine_between(resampled[0][i], resampled[1][i]));
            }
            set.condition_cosine[value * set.n_layer + layer] =
                estimate(cosine_between(vectors[0], vectors[1]), cosines, options.confidence);
            progress.advance(++done);
        }
    }
    progress.finish();
    return set;
}

} // namespace valuelens
