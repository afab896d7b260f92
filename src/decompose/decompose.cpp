#include "decompose/decompose.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "base/fail.h"
#include "contrast/cell.h"
#include "contrast/stored_activations.h"
#include "decompose/circle.h"
#include "decompose/compliance.h"
#include "decompose/intervals.h"
#include "decompose/layer_range.h"
#include "decompose/pair_geometry.h"
#include "decompose/same_vectors.h"
#include "math/parallel_for.h"

namespace valuelens {
namespace {

constexpr double undefined = std::numeric_limits<double>::quiet_NaN();

void check_options(const DecomposeOptions & options) {
    if (!(options.confidence > 0 && options.confidence < 1)) {
        fail(ErrorKind::usage, "confidence is {}, expected a number between 0 and 1", options.confidence);
    }
    if (options.resample_groups < 2) {
        fail(ErrorKind::usage, "resample_groups is {}, expected at least 2", options.resample_groups);
    }
}

/// The vectors of a value at a layer.
std::span<const float> vector_at(const ValueVectorSet & vectors, std::size_t value, Condition condition,
                                 std::size_t layer) {
    const ValueVector & entry = vectors.vectors[value * 2 + static_cast<std::size_t>(condition)];
    return {entry.vector.data() + layer * vectors.n_embd, vectors.n_embd};
}

/// Why a value has no axes; empty where both of its vectors are there.
std::string find_problem(const ValueVectorSet & vectors, std::size_t value) {
    std::string problem;
    for (const std::size_t condition : {0, 1}) {
        const ValueVector & entry = vectors.vectors[value * 2 + condition];
        if (!entry.problem.empty()) {
            problem += (problem.empty() ? "" : "; ") + entry.problem;
        }
    }
    return problem;
}

/// Values, problems, and lists of the right size.
AxisSet make_set(const ValueVectorSet & vectors, const DecomposeOptions & options) {
    AxisSet set;
    set.provenance = vectors.provenance;
    set.provenance.tool_version = VALUELENS_VERSION;
    set.options = options;
    std::tie(set.options.first_layer, set.options.last_layer) = layer_range(options, vectors.n_layer);
    set.n_layer = vectors.n_layer;
    set.n_embd = vectors.n_embd;
    set.values = vectors.values;
    set.resid_norm = vectors.resid_norm;
    set.compliance.resize(set.n_layer * set.n_embd, std::numeric_limits<float>::quiet_NaN());
    set.compliance_layers.resize(set.n_layer);
    std::size_t n_with_axes = 0;
    for (std::size_t value = 0; value < set.values.size(); ++value) {
        ValueAxes & axes = set.axes.emplace_back();
        axes.value = set.values[value];
        axes.problem = find_problem(vectors, value);
        if (axes.problem.empty()) {
            ++n_with_axes;
            for (auto * tensor :
                 {&axes.shared, &axes.intrinsic, &axes.prompted, &axes.intrinsic_orth, &axes.prompted_orth}) {
                tensor->resize(set.n_layer * set.n_embd);
            }
            axes.layers.resize(set.n_layer);
        } else {
            set.notes.push_back(fmt::format("no axes of '{}': {}", axes.value, axes.problem));
        }
    }
    if (n_with_axes == 0) {
        fail(ErrorKind::bad_input, "no value has both an intrinsic and a prompted vector, which the axes need: {}",
             set.axes.empty() ? "there are no values" : set.axes.front().problem);
    }
    return set;
}

void fill_axes(AxisSet & set, const ValueVectorSet & vectors) {
    const auto store = [&](const std::vector<double> & row, std::vector<float> & tensor, std::size_t layer,
                           double sign = 1) {
        std::transform(row.begin(), row.end(), tensor.begin() + static_cast<std::ptrdiff_t>(layer * set.n_embd),
                       [&](double x) { return static_cast<float>(sign * x); });
    };
    parallel_for(set.axes.size() * set.n_layer, set.options.threads, [&](std::size_t i) {
        const std::size_t value = i / set.n_layer;
        const std::size_t layer = i % set.n_layer;
        ValueAxes & axes = set.axes[value];
        if (!axes.problem.empty()) {
            return;
        }
        const PairAxes pair =
            analyse_pair(vector_at(vectors, value, Condition::intrinsic, layer),
                         vector_at(vectors, value, Condition::prompted, layer), set.options.normalize);
        axes.layers[layer] = pair.geometry;
        store(pair.shared, axes.shared, layer);
        store(pair.intrinsic, axes.intrinsic, layer);
        store(pair.intrinsic, axes.prompted, layer, -1);
        store(pair.intrinsic_orth, axes.intrinsic_orth, layer);
        store(pair.prompted_orth, axes.prompted_orth, layer);
    });
}

/// What the deltas of a layer have in common. The vectors go in as they are, whatever `normalize` says: the question is
/// what prompting adds.
void fill_compliance(AxisSet & set, const ValueVectorSet & vectors, std::size_t layer) {
    const auto n_embd = static_cast<Eigen::Index>(set.n_embd);
    RowMatrix deltas(static_cast<Eigen::Index>(set.axes.size()), n_embd);
    Eigen::Index n = 0;
    for (std::size_t value = 0; value < set.axes.size(); ++value) {
        if (!set.axes[value].problem.empty()) {
            continue;
        }
        const auto v_int = vector_at(vectors, value, Condition::intrinsic, layer);
        const auto v_prompted = vector_at(vectors, value, Condition::prompted, layer);
        deltas.row(n) = (Eigen::Map<const Eigen::VectorXf>(v_prompted.data(), n_embd).cast<double>() -
                         Eigen::Map<const Eigen::VectorXf>(v_int.data(), n_embd).cast<double>())
                            .transpose();
        n += deltas.row(n).allFinite();
    }
    if (n < 2) {
        return;
    }
    deltas.conservativeResize(n, Eigen::NoChange);
    Eigen::Map<Eigen::VectorXf>(set.compliance.data() + layer * set.n_embd, n_embd) =
        deltas.colwise().mean().transpose().cast<float>();

    ComplianceLayer & result = set.compliance_layers[layer];
    const ComplianceStatistics statistics = compliance_statistics(deltas);
    result.explained.value = statistics.explained;
    result.explained_unit.value = statistics.explained_unit;
    result.mean_cosine.value = statistics.mean_cosine;
    const Eigen::VectorXd lengths = deltas.rowwise().norm();
    const ComplianceNull null = compliance_null({lengths.data(), static_cast<std::size_t>(n)}, set.n_embd,
                                                set.options.null_draws, set.options.confidence, set.options.seed);
    result.explained_null = null.explained;
    result.explained_unit_null = null.explained_unit;
    result.mean_cosine_null = null.mean_cosine;
}

/// Counts the layers without axes.
void note_undefined(AxisSet & set) {
    std::size_t n_undefined = 0;
    std::size_t n_pairs = 0;
    std::string first;
    for (const ValueAxes & axes : set.axes) {
        for (std::size_t layer = 0; layer < axes.layers.size(); ++layer) {
            ++n_pairs;
            if (!axes.layers[layer].undefined.empty() && n_undefined++ == 0) {
                first = fmt::format("'{}' at layer {}: {}", axes.value, layer, axes.layers[layer].undefined);
            }
        }
    }
    if (n_undefined > 0) {
        set.notes.push_back(fmt::format("axes are undefined at {} of {} value-layer pairs, for example of {}",
                                        n_undefined, n_pairs, first));
    }
}

void resample(AxisSet & set, const ValueVectorSet & vectors, const ResponseSource & source, ProgressSink & progress,
              const std::stop_token & stop) {
    // The resamples of the vectors stage: its seed, its groups.
    const QueryPlan plan(source.responses, source.activations,
                         {.bootstraps = set.options.bootstraps,
                          .resample_groups = set.options.resample_groups,
                          .seed = vectors.options.seed});
    const std::vector<Cell> cells = make_cells(source.responses, set.values.size(), plan);
    require_same_vectors(vectors, source, cells, set.options.threads, stop);
    for (std::size_t value = 0; value < set.values.size(); ++value) {
        const std::size_t empty = set.axes[value].problem.empty()
                                      ? std::max(count_empty_resamples(cells[2 * value], plan),
                                                 count_empty_resamples(cells[2 * value + 1], plan))
                                      : 0;
        if (empty > 0) {
            set.notes.push_back(
                fmt::format("value '{}': at least {} of {} resamples hold no response of one class and are left "
                            "out of its intervals and of those of the compliance direction",
                            set.values[value], empty, plan.n_bootstrap));
        }
    }
    add_intervals(set, source.activations, cells, plan, progress, stop);
}

} // namespace

const char * to_string(AxisKind kind) {
    switch (kind) {
    case AxisKind::shared:
        return "shared";
    case AxisKind::intrinsic:
        return "intrinsic";
    case AxisKind::prompted:
        return "prompted";
    }
    return "";
}

AxisSet decompose_vectors(const ValueVectorSet & vectors, const ConceptSet & concepts, const DecomposeOptions & options,
                          const ResponseSource * source, ProgressSink & progress, std::stop_token stop) {
    check_options(options);
    AxisSet set = make_set(vectors, options);
    fill_axes(set, vectors);
    parallel_for(set.n_layer, options.threads, [&](std::size_t layer) {
        check_stop(stop);
        fill_compliance(set, vectors, layer);
    });
    note_undefined(set);
    if (source != nullptr && options.bootstraps > 0) {
        resample(set, vectors, *source, progress, stop);
    }
    set.circles = analyse_circles(set, concepts, set.notes, options.threads, progress, stop);
    for (const std::string & note : set.notes) {
        progress.message(LogLevel::warning, note);
    }
    return set;
}

AxisSet decompose_vectors(const ValueVectorSet & vectors, const ConceptSet & concepts, const DecomposeOptions & options,
                          const DecomposeSource & source, ProgressSink & progress, std::stop_token stop) {
    if (source.activations.empty() != source.labels.empty()) {
        fail(ErrorKind::usage, "intervals need both activations and labels; only {} were given",
             source.labels.empty() ? "activations" : "labels");
    }
    if (source.activations.empty()) {
        return decompose_vectors(vectors, concepts, options, nullptr, progress, stop);
    }
    const ActivationReader reader(source.activations);
    const std::string name = files_name(source.activations);
    const JoinedLabels joined =
        join_labels(reader, load_labels(source.labels), vectors.values, source.labels.string(), name);
    for (const std::string & note : joined.notes) {
        progress.message(LogLevel::warning, note);
    }
    const StoredActivationSource activations(reader);
    const ResponseSource responses{activations, joined.responses, fmt::format("{}, {}", name, source.labels.string())};
    AxisSet set = decompose_vectors(vectors, concepts, options, &responses, progress, stop);
    set.notes.insert(set.notes.end(), joined.notes.begin(), joined.notes.end());
    return set;
}

} // namespace valuelens
