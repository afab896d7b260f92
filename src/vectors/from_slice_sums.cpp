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
    std::string value;
    Condition condition;
    std::vector<std::array<std::size_t, 2>> count; ///< [n_slice][class]
    std::array<std::size_t, 2> total{};            ///< [class]
};

/// The sums of a cell at one layer.
using LayerSums =
    std::array<Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>, 2>; ///< [class] [n_slice, n_embd]

/// The files of all slices, read row by row without being held.
class Slices {
public:
    explicit Slices(const std::vector<std::filesystem::path> & paths) {
        for (const std::filesystem::path & path : paths) {
            const SliceSumsFile & slice = files_.emplace_back(path);
            if (slice.provenance().model_hash != first().provenance().model_hash ||
                slice.n_layer() != first().n_layer() || slice.n_embd() != first().n_embd()) {
                fail(ErrorKind::bad_input, "{}: is of another model than {}", path.string(), paths.front().string());
            }
        }
    }

    std::size_t size() const { return files_.size(); }
    const SliceSumsFile & first() const { return files_.front(); }
    std::vector<SliceSumsFile>::const_iterator begin() const { return files_.begin(); }
    std::vector<SliceSumsFile>::const_iterator end() const { return files_.end(); }

    LayerSums read(const Cell & cell, std::size_t layer) const {
        LayerSums sums;
        const auto width = static_cast<Eigen::Index>(first().n_embd());
        for (std::size_t expresses = 0; expresses < 2; ++expresses) {
            sums[expresses].setZero(static_cast<Eigen::Index>(size()), width);
            for (std::size_t i = 0; i < size(); ++i) {
                if (cell.count[i][expresses] == 0) {
                    continue;
                }
                files_[i].read(cell.value, cell.condition, expresses != 0, layer,
                               {sums[expresses].row(static_cast<Eigen::Index>(i)).data(), first().n_embd()});
                if (budget_.spend(first().n_embd() * sizeof(float))) {
                    for (const SliceSumsFile & file : files_) {
                        file.release_pages();
                    }
                }
            }
        }
        return sums;
    }

private:
    std::vector<SliceSumsFile> files_;
    mutable ReadBudget budget_;
};

/// Mean over class 1 minus mean over class 0, [n_embd]; nothing where a class has no weight.
std::optional<Eigen::VectorXd> difference(const Cell & cell, const LayerSums & sums, const Weights & weights) {
    std::array<Eigen::VectorXd, 2> means;
    for (std::size_t expresses = 0; expresses < 2; ++expresses) {
        Eigen::VectorXd sum = Eigen::VectorXd::Zero(sums[expresses].cols());
        double count = 0;
        for (std::size_t slice = 0; slice < weights.size(); ++slice) {
            if (weights[slice] == 0 || cell.count[slice][expresses] == 0) {
                continue;
            }
            sum += weights[slice] * sums[expresses].row(static_cast<Eigen::Index>(slice)).transpose().cast<double>();
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
    const Slices slices(files);
    ValueVectorSet set;
    set.provenance = slices.first().provenance();
    set.provenance.tool_version = VALUELENS_VERSION;
    set.options = options;
    set.n_layer = slices.first().n_layer();
    set.n_embd = slices.first().n_embd();
    set.values = values;
    set.resid_norm.resize(set.n_layer);
    set.condition_cosine.resize(values.size() * set.n_layer);
    for (const SliceSumsFile & slice : slices) {
        set.n_responses += slice.n_responses();
    }
    for (std::size_t layer = 0; layer < set.n_layer; ++layer) {
        double sum = 0;
        for (const SliceSumsFile & slice : slices) {
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
            Cell cell{value, condition, {}, {}};
            for (const SliceSumsFile & slice : slices) {
                const std::array<std::size_t, 2> & count = cell.count.emplace_back(slice.count(value, condition));
                cell.total[0] += count[0];
                cell.total[1] += count[1];
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
                const LayerSums sums = slices.read(cell, layer);
                vectors[e] = difference(cell, sums, all);
                std::copy(vectors[e]->begin(), vectors[e]->end(),
                          entry.vector.begin() + static_cast<std::ptrdiff_t>(layer * set.n_embd));
                std::vector<double> norms;
                for (const Weights & weights : resamples) {
                    resampled[e].push_back(difference(cell, sums, weights));
                    norms.push_back(resampled[e].back() ? resampled[e].back()->norm()
                                                        : std::numeric_limits<double>::quiet_NaN());
                }
                entry.norm[layer] = estimate(vectors[e]->norm(), norms, options.confidence);
                double sum = 0;
                std::size_t n = 0;
                for (const auto & [first, second] : halves) {
                    const double cosine = cosine_between(difference(cell, sums, first), difference(cell, sums, second));
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
