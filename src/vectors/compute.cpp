#include "vectors/compute.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <mutex>
#include <optional>

#include "base/fail.h"
#include "contrast/cell.h"
#include "contrast/query_plan.h"
#include "math/bootstrap.h"
#include "math/parallel_for.h"
#include "math/vector_ops.h"
#include "vectors/cell_statistics.h"
#include "vectors/problems.h"

namespace valuelens {
namespace {

void check_options(const VectorOptions & options) {
    if (!(options.held_out >= 0 && options.held_out < 1)) {
        fail(ErrorKind::usage, "held_out is {}, expected a share of the queries in [0, 1)", options.held_out);
    }
    if (!(options.confidence > 0 && options.confidence < 1)) {
        fail(ErrorKind::usage, "confidence is {}, expected a number between 0 and 1", options.confidence);
    }
    if (options.resample_groups < 2) {
        fail(ErrorKind::usage, "resample_groups is {}, expected at least 2", options.resample_groups);
    }
}

/// Why a cell with a vector has no AUROC; empty where it has one.
std::string find_note(const ValueVector & entry) {
    const auto sentence = [&](const char * part, std::size_t expressing, std::size_t not_expressing) {
        return fmt::format(
            "value '{}', condition {}: no AUROC, the {} queries have {} expressing and {} not expressing responses, "
            "at least 1 of each is needed",
            entry.value, to_string(entry.condition), part, expressing, not_expressing);
    };
    if (entry.n_held_out_expressing == 0 || entry.n_held_out_not_expressing == 0) {
        return sentence("held-out", entry.n_held_out_expressing, entry.n_held_out_not_expressing);
    }
    const std::size_t expressing = entry.n_expressing - entry.n_held_out_expressing;
    const std::size_t not_expressing = entry.n_not_expressing - entry.n_held_out_not_expressing;
    return expressing == 0 || not_expressing == 0 ? sentence("fitted", expressing, not_expressing) : std::string();
}

/// Counts, problems and empty lists of the right size.
ValueVectorSet make_set(const ActivationSource & source, const std::vector<Cell> & cells,
                        const std::vector<std::string> & values, const VectorOptions & options) {
    ValueVectorSet set;
    set.provenance = source.provenance();
    set.provenance.tool_version = VALUELENS_VERSION;
    set.options = options;
    set.n_layer = source.n_layer();
    set.n_embd = source.n_embd();
    set.n_responses = source.n_rows();
    set.values = values;
    set.resid_norm.resize(set.n_layer);
    set.condition_cosine.resize(values.size() * set.n_layer);
    for (std::size_t i = 0; i < cells.size(); ++i) {
        ValueVector & entry = set.vectors.emplace_back();
        entry.value = values[i / 2];
        entry.condition = static_cast<Condition>(i % 2);
        entry.n_not_expressing = cells[i].count[0];
        entry.n_expressing = cells[i].count[1];
        entry.n_held_out_not_expressing = cells[i].held_out_count[0];
        entry.n_held_out_expressing = cells[i].held_out_count[1];
        entry.problem = too_few_problem(entry, options.min_count);
        if (entry.problem.empty()) {
            entry.note = find_note(entry);
            entry.vector.resize(set.n_layer * set.n_embd);
            entry.norm.resize(set.n_layer);
            entry.split_half_cosine.resize(set.n_layer);
            entry.auroc.resize(set.n_layer);
        }
    }
    require_a_vector(set);
    return set;
}

/// Mean over all responses of |a| at a layer. Every response is read here, so this is where a broken number is found.
float mean_norm(const ActivationSource & source, std::size_t layer, const std::stop_token & stop) {
    std::vector<float> activation(source.n_embd());
    double sum = 0;
    for (std::size_t row = 0; row < source.n_rows(); ++row) {
        check_stop(stop);
        source.read(row, layer, activation);
        const double length = norm(activation);
        if (!std::isfinite(length)) {
            fail(ErrorKind::bad_input,
                 "response '{}', layer {}: the activations hold a number that is not finite; capture it again",
                 source.id(row), layer);
        }
        sum += length;
    }
    return static_cast<float>(sum / static_cast<double>(source.n_rows()));
}

/// cos(v_int, v_prompted), both resampled together.
Estimate condition_cosine(const CellStatistics & a, const CellStatistics & b, double confidence) {
    std::vector<double> resampled;
    for (Eigen::Index i = 0; i < a.resampled.rows(); ++i) {
        resampled.push_back(cosine_of(a.resampled.row(i).dot(b.resampled.row(i)), a.resampled.row(i).norm(),
                                      b.resampled.row(i).norm()));
    }
    const Interval interval = percentile_interval(resampled, confidence);
    return {cosine_of(a.vector.dot(b.vector), a.vector.norm(), b.vector.norm()), interval.low, interval.high};
}

/// Threads that fit the memory aimed at: a thread works on both conditions of one value at a time.
unsigned affordable_threads(const std::vector<Cell> & cells, const QueryPlan & plan, std::size_t n_embd,
                            const VectorOptions & options) {
    std::size_t largest = 1;
    for (std::size_t i = 0; i + 1 < cells.size(); i += 2) {
        largest = std::max(largest, cells[i].bytes(n_embd, plan) + cells[i + 1].bytes(n_embd, plan));
    }
    const std::size_t fit = std::max<std::size_t>(options.memory_mb * 1024 * 1024 / largest, 1);
    return static_cast<unsigned>(std::min<std::size_t>(thread_count(options.threads), fit));
}

} // namespace

QueryPlanOptions plan_options(const VectorOptions & options) {
    return {.held_out = options.held_out,
            .bootstraps = options.bootstraps,
            .split_halves = options.split_halves,
            .resample_groups = options.resample_groups,
            .seed = options.seed};
}

ValueVectorSet compute_value_vectors(const ActivationSource & source, std::span<const LabelledResponse> responses,
                                     const std::vector<std::string> & values, const VectorOptions & options,
                                     ProgressSink & progress, std::stop_token stop) {
    check_options(options);
    for (const LabelledResponse & response : responses) {
        if (response.row >= source.n_rows()) {
            fail(ErrorKind::internal, "a label is for response {} of {}", response.row, source.n_rows());
        }
    }
    const QueryPlan plan(responses, source, plan_options(options));
    const std::vector<Cell> cells = make_cells(responses, values.size(), plan);
    ValueVectorSet set = make_set(source, cells, values, options);
    set.n_queries = plan.n_query;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        const std::size_t empty = set.vectors[i].problem.empty() ? count_empty_resamples(cells[i], plan) : 0;
        if (empty > 0) {
            set.notes.push_back(
                fmt::format("value '{}', condition {}: {} of {} resamples hold no response of one class "
                            "and are left out of its intervals",
                            set.vectors[i].value, to_string(set.vectors[i].condition), empty, plan.n_bootstrap));
            progress.message(LogLevel::warning, set.notes.back());
        }
    }
    for (const ValueVector & entry : set.vectors) {
        for (const std::string & text : {entry.problem, entry.note}) {
            if (!text.empty()) {
                progress.message(LogLevel::warning, text);
            }
        }
    }

    const auto compute_value = [&](std::size_t layer, std::size_t value) {
        std::array<std::optional<CellStatistics>, 2> found;
        for (std::size_t condition = 0; condition < 2; ++condition) {
            ValueVector & entry = set.vectors[value * 2 + condition];
            if (!entry.problem.empty()) {
                continue;
            }
            CellStatistics & statistics = found[condition].emplace(
                compare_classes(source, layer, cells[value * 2 + condition], plan, options.confidence, stop));
            std::copy(statistics.vector.begin(), statistics.vector.end(), entry.vector.data() + layer * set.n_embd);
            entry.norm[layer] = statistics.norm;
            entry.split_half_cosine[layer] = statistics.split_half_cosine;
            entry.auroc[layer] = statistics.auroc;
        }
        if (found[0] && found[1]) {
            set.condition_cosine[value * set.n_layer + layer] =
                condition_cosine(*found[0], *found[1], options.confidence);
        }
    };

    // Layer by layer, so that threads that work side by side read neighbouring parts of the source.
    const std::size_t parts = values.size() + 1;
    std::mutex mutex;
    std::size_t done = 0;
    progress.start("vectors", set.n_layer * parts, "parts");
    try {
        parallel_for(set.n_layer * parts, affordable_threads(cells, plan, set.n_embd, options), [&](std::size_t i) {
            check_stop(stop);
            const std::size_t layer = i / parts;
            if (i % parts == 0) {
                set.resid_norm[layer] = mean_norm(source, layer, stop);
            } else {
                compute_value(layer, i % parts - 1);
            }
            const std::lock_guard lock(mutex);
            progress.advance(++done);
        });
    } catch (...) {
        progress.finish();
        throw;
    }
    progress.finish();
    return set;
}

} // namespace valuelens
