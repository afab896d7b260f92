#include "decompose/circle.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <optional>

#include "base/fail.h"
#include "decompose/circle_reference.h"
#include "decompose/layer_range.h"
#include "math/parallel_for.h"
#include "math/procrustes.h"

namespace valuelens {
namespace {

constexpr std::size_t fewest_values = 3;

/// What all circles of a set share.
struct Theory {
    std::vector<std::size_t> used; ///< positions in AxisSet::values
    std::vector<double> angles;    ///< [n_used]
    std::optional<CircleReference> even;
    std::optional<CircleReference> wedges;
    CircleNulls nulls;
};

bool all_equal(const std::vector<double> & angles) {
    constexpr double degrees = 1e-6;
    return std::all_of(angles.begin(), angles.end(),
                       [&](double angle) { return angle_distance(angle, angles.front()) < degrees; });
}

/// Picks the values with an angle and axes; the theory has no `even` circle where they do not make one.
Theory read_theory(const AxisSet & set, const ConceptSet & concepts, std::vector<std::string> & notes) {
    Theory theory;
    std::vector<double> wedges;
    std::vector<std::string> without_angle;
    std::vector<std::string> without_axes;
    std::vector<std::string> without_wedge;
    for (std::size_t i = 0; i < set.values.size(); ++i) {
        const std::string & id = set.values[i];
        const std::optional<std::size_t> position = concepts.find(id);
        const Concept * concept_ = position ? &concepts.concepts[*position] : nullptr;
        if (concept_ == nullptr || !concept_->angle) {
            without_angle.push_back(id);
        } else if (!set.axes[i].problem.empty()) {
            without_axes.push_back(id);
        } else {
            theory.used.push_back(i);
            theory.angles.push_back(*concept_->angle);
            if (concept_->wedge) {
                wedges.push_back(*concept_->wedge);
            } else {
                without_wedge.push_back(id);
            }
        }
    }

    if (theory.used.size() < fewest_values) {
        notes.push_back(fmt::format(
            "no circle: the concept set '{}' states an angle for {} of the {} values and {} of these have axes, at "
            "least {} are needed",
            concepts.name, set.values.size() - without_angle.size(), set.values.size(), theory.used.size(),
            fewest_values));
        return theory;
    }
    if (all_equal(theory.angles)) {
        notes.push_back(
            fmt::format("no circle: the concept set '{}' states one and the same angle for all values", concepts.name));
        return theory;
    }
    if (!without_angle.empty()) {
        notes.push_back(fmt::format("circle: left out, the concept set '{}' states no angle: {}", concepts.name,
                                    fmt::join(without_angle, ", ")));
    }
    if (!without_axes.empty()) {
        notes.push_back(fmt::format("circle: left out for want of axes: {}", fmt::join(without_axes, ", ")));
    }
    const DecomposeOptions & options = set.options;
    theory.even.emplace(theory.angles, options.permutations, options.seed);
    if (const double share = theory.even->symmetric_share(); share > 0.05) {
        notes.push_back(fmt::format("circle: with these {} values {:.2g} of all orders fit equally well whatever the "
                                    "data, so no p much below that "
                                    "is to be had",
                                    theory.used.size(), share));
    }

    if (!wedges.empty() && !without_wedge.empty()) {
        notes.push_back(fmt::format("circle: no fit to wedges, the concept set '{}' states none for {}", concepts.name,
                                    fmt::join(without_wedge, ", ")));
    } else if (!wedges.empty() && all_equal(wedges)) {
        notes.push_back(fmt::format(
            "circle: no fit to wedges, the concept set '{}' states one and the same for all values", concepts.name));
    } else if (!wedges.empty()) {
        theory.wedges.emplace(wedges, options.permutations, options.seed);
    }
    theory.nulls = circle_nulls(*theory.even, theory.wedges ? &*theory.wedges : nullptr, set.n_embd, options.null_draws,
                                options.confidence, options.seed);
    return theory;
}

/// For each row of a square matrix of likeness the other row of greatest (or smallest, `sign` -1) likeness, the first
/// among equals.
std::vector<std::size_t> extreme_others(const RowMatrix & likeness, double sign) {
    constexpr double rounding = 1e-12;
    std::vector<std::size_t> result;
    for (Eigen::Index i = 0; i < likeness.rows(); ++i) {
        Eigen::Index best = i == 0 ? 1 : 0;
        for (Eigen::Index j = best + 1; j < likeness.rows(); ++j) {
            if (j != i && sign * (likeness(i, j) - likeness(i, best)) > rounding) {
                best = j;
            }
        }
        result.push_back(static_cast<std::size_t>(best));
    }
    return result;
}

/// Minus the distances of the stated angles, in half circles.
RowMatrix stated_likeness(const std::vector<double> & angles) {
    const auto n = static_cast<Eigen::Index>(angles.size());
    RowMatrix likeness(n, n);
    for (Eigen::Index i = 0; i < n; ++i) {
        for (Eigen::Index j = 0; j < n; ++j) {
            likeness(i, j) =
                -angle_distance(angles[static_cast<std::size_t>(i)], angles[static_cast<std::size_t>(j)]) / 180;
        }
    }
    return likeness;
}

const std::vector<float> & tensor_of(const ValueAxes & axes, AxisKind kind) {
    switch (kind) {
    case AxisKind::intrinsic:
        return axes.intrinsic;
    case AxisKind::prompted:
        return axes.prompted;
    case AxisKind::shared:
        break;
    }
    return axes.shared;
}

/// [n_used, n_embd] unit axes of a layer, and why some are missing (their rows then mean nothing).
struct LayerAxes {
    RowMatrix rows;
    std::string missing;
};

LayerAxes read_axes_of(const AxisSet & set, const Theory & theory, AxisKind kind, std::size_t layer) {
    LayerAxes result;
    result.rows.resize(static_cast<Eigen::Index>(theory.used.size()), static_cast<Eigen::Index>(set.n_embd));
    std::size_t missing = 0;
    for (std::size_t i = 0; i < theory.used.size(); ++i) {
        const ValueAxes & axes = set.axes[theory.used[i]];
        const Eigen::Map<const Eigen::RowVectorXf> axis(tensor_of(axes, kind).data() + layer * set.n_embd,
                                                        static_cast<Eigen::Index>(set.n_embd));
        auto row = result.rows.row(static_cast<Eigen::Index>(i));
        row = axis.cast<double>();
        const double length = row.norm();
        if (std::isfinite(length) && length > 0) {
            row /= length;
        } else if (missing++ == 0) {
            const std::string reason = layer < axes.layers.size() ? axes.layers[layer].undefined : std::string();
            result.missing = fmt::format("'{}' has no axis{}{}", axes.value, reason.empty() ? "" : ": ", reason);
        }
    }
    if (missing > 1) {
        result.missing += fmt::format(" (and {} more values)", missing - 1);
    }
    return result;
}

/// The circle of unit axes [n_used, n_embd].
CircleLayer fit_circle(const RowMatrix & axes, const Theory & theory) {
    CircleLayer result;
    const PrincipalPlane principal = principal_plane(axes);
    if (principal.plane.size() == 0) {
        result.undefined = "the axes of all values are equal";
        return result;
    }
    result.explained_1 = principal.explained_1;
    result.explained_2 = principal.explained_2;
    result.even = theory.even->fit(principal.plane);
    result.even.null = theory.nulls.even;
    if (theory.wedges) {
        result.wedges = theory.wedges->fit(principal.plane);
        result.wedges.null = theory.nulls.wedges;
    }
    const RowMatrix placed = procrustes(theory.even->points(), principal.plane).placed;
    for (Eigen::Index i = 0; i < placed.rows(); ++i) {
        result.plane.emplace_back(placed(i, 0), placed(i, 1));
    }
    const RowMatrix cosines = axes * axes.transpose();
    result.nearest = extreme_others(cosines, 1);
    result.opposite = extreme_others(cosines, -1);
    return result;
}

/// The circle of the axes averaged over the layers [first, last].
CircleLayer fit_range(const AxisSet & set, const Theory & theory, AxisKind kind, std::size_t first, std::size_t last,
                      std::size_t & n_left_out) {
    RowMatrix sum =
        RowMatrix::Zero(static_cast<Eigen::Index>(theory.used.size()), static_cast<Eigen::Index>(set.n_embd));
    std::string missing;
    n_left_out = 0;
    for (std::size_t layer = first; layer <= last; ++layer) {
        const LayerAxes axes = read_axes_of(set, theory, kind, layer);
        if (axes.missing.empty()) {
            sum += axes.rows;
        } else if (n_left_out++ == 0) {
            missing = axes.missing;
        }
    }
    CircleLayer result;
    const std::size_t kept = last - first + 1 - n_left_out;
    if (kept == 0) {
        result.undefined =
            fmt::format("no layer of {}-{} has the axes of all values; at layer {} {}", first, last, first, missing);
        return result;
    }
    constexpr double rounding = 1e-9;
    for (Eigen::Index i = 0; i < sum.rows(); ++i) {
        const double length = sum.row(i).norm();
        if (length <= rounding * static_cast<double>(kept)) {
            result.undefined = fmt::format("the axes of '{}' cancel over the layers {}-{}",
                                           set.values[theory.used[static_cast<std::size_t>(i)]], first, last);
            return result;
        }
        sum.row(i) /= length;
    }
    return fit_circle(sum, theory);
}

void check_stop(const std::stop_token & stop) {
    if (stop.stop_requested()) {
        fail(ErrorKind::interrupted, "stopped while circles were fitted; run the same command again");
    }
}

} // namespace

std::vector<Circle> analyse_circles(const AxisSet & set, const ConceptSet & concepts, std::vector<std::string> & notes,
                                    unsigned threads, ProgressSink & progress, std::stop_token stop) {
    const auto [first, last] = layer_range(set.options, set.n_layer);
    check_stop(stop);
    const Theory theory = read_theory(set, concepts, notes);
    if (!theory.even) {
        return {};
    }

    std::vector<Circle> circles;
    const RowMatrix stated = stated_likeness(theory.angles);
    for (const AxisKind kind : {AxisKind::shared, AxisKind::intrinsic, AxisKind::prompted}) {
        Circle & circle = circles.emplace_back();
        circle.kind = kind;
        circle.used = theory.used;
        circle.theoretical_nearest = extreme_others(stated, 1);
        circle.theoretical_opposite = extreme_others(stated, -1);
        circle.layers.resize(set.n_layer);
    }

    const std::size_t parts = set.n_layer + 1;
    std::vector<std::size_t> n_left_out(circles.size(), 0);
    std::mutex mutex;
    std::size_t done = 0;
    progress.start("circles", circles.size() * parts, "circles");
    try {
        parallel_for(circles.size() * parts, threads, [&, first = first, last = last](std::size_t i) {
            check_stop(stop);
            Circle & circle = circles[i / parts];
            const std::size_t layer = i % parts;
            if (layer == set.n_layer) {
                circle.range = fit_range(set, theory, circle.kind, first, last, n_left_out[i / parts]);
            } else if (LayerAxes axes = read_axes_of(set, theory, circle.kind, layer); axes.missing.empty()) {
                circle.layers[layer] = fit_circle(axes.rows, theory);
            } else {
                circle.layers[layer].undefined = std::move(axes.missing);
            }
            const std::lock_guard lock(mutex);
            progress.advance(++done);
        });
    } catch (...) {
        progress.finish();
        throw;
    }
    progress.finish();
    for (std::size_t i = 0; i < circles.size(); ++i) {
        if (n_left_out[i] > 0) {
            notes.push_back(fmt::format(
                "circle of {} axes: {} of the layers {}-{} left out of their mean, where a value has no axis",
                to_string(circles[i].kind), n_left_out[i], first, last));
        }
    }
    return circles;
}

} // namespace valuelens
