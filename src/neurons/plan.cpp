#include "neurons/plan.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "base/fail.h"
#include "math/vector_ops.h"
#include "store/provenance.h"

namespace valuelens {

namespace {

/// Ascending layers as "0, 3-5".
std::string layer_list(const std::vector<std::size_t> & layers) {
    std::string text;
    for (std::size_t i = 0; i < layers.size();) {
        std::size_t j = i;
        while (j + 1 < layers.size() && layers[j + 1] == layers[j] + 1) {
            ++j;
        }
        text += (text.empty() ? "" : ", ") +
                (j > i ? fmt::format("{}-{}", layers[i], layers[j]) : std::to_string(layers[i]));
        i = j + 1;
    }
    return text;
}

void check_model(const AxisSet & axes, const DownProjections & model) {
    const ModelInfo & info = model.info();
    require_same_model(axes.provenance, info.identity, info.name, "the axes");
    require_same_location(axes.provenance, "resid_post", "the axes");
    if (axes.n_layer != model.n_layer() || axes.n_embd != model.n_embd()) {
        fail(ErrorKind::bad_input, "the axes have shape [{}, {}], expected [{}, {}] for model {}; decompose again",
             axes.n_layer, axes.n_embd, model.n_layer(), model.n_embd(), info.name);
    }
}

/// Positions in AxisSet::axes of the values asked for; those of axes.values in their order where none is named.
std::vector<std::size_t> choose(const AxisSet & axes, const NeuronOptions & options) {
    std::vector<std::size_t> chosen;
    if (options.values.empty()) {
        for (std::size_t i = 0; i < axes.axes.size(); ++i) {
            chosen.push_back(i);
        }
    }
    for (const std::string & value : options.values) {
        const auto found = std::find_if(axes.axes.begin(), axes.axes.end(),
                                        [&](const ValueAxes & entry) { return entry.value == value; });
        if (found == axes.axes.end()) {
            fail(ErrorKind::bad_input, "value \"{}\" has no axes here; there are {}", value,
                 fmt::join(axes.values, ", "));
        }
        const auto position = static_cast<std::size_t>(found - axes.axes.begin());
        if (std::find(chosen.begin(), chosen.end(), position) != chosen.end()) {
            fail(ErrorKind::bad_input, "value \"{}\" is named twice; name each value once", value);
        }
        chosen.push_back(position);
    }
    return chosen;
}

/// Whether the plane exists at a layer: a row of NaN is how axes say that it does not.
bool is_defined(const ValueAxes & entry, std::size_t layer, std::size_t n_embd) {
    const auto shared = std::span(entry.shared).subspan(layer * n_embd, n_embd);
    const auto intrinsic = std::span(entry.intrinsic).subspan(layer * n_embd, n_embd);
    const double norm_shared = norm(shared);
    const double norm_intrinsic = norm(intrinsic);
    if (!std::isfinite(norm_shared) || !std::isfinite(norm_intrinsic)) {
        return false;
    }
    constexpr double tolerance = 1e-3; // far above the rounding of stored axes, far below what would turn an angle
    if (std::abs(norm_shared - 1) > tolerance || std::abs(norm_intrinsic - 1) > tolerance ||
        std::abs(dot(shared, intrinsic)) > tolerance) {
        fail(ErrorKind::bad_input,
             "{}/shared and {}/intrinsic are not two unit vectors at right angles at layer {} (lengths {:.4g}, {:.4g}, "
             "inner product {:.4g}); make them with valuelens decompose",
             entry.value, entry.value, layer, norm_shared, norm_intrinsic, dot(shared, intrinsic));
    }
    return true;
}

} // namespace

NeuronPlan plan_neurons(const AxisSet & axes, const NeuronOptions & options, const DownProjections & model) {
    check_model(axes, model);
    NeuronPlan plan;
    for (const std::size_t position : choose(axes, options)) {
        const ValueAxes & entry = axes.axes[position];
        if (!entry.problem.empty()) {
            plan.notes.push_back(fmt::format("{}: no axes ({})", entry.value, entry.problem));
            continue;
        }
        if (entry.shared.size() != axes.n_layer * axes.n_embd || entry.intrinsic.size() != entry.shared.size()) {
            fail(ErrorKind::bad_input, "the axes of {} have {} and {} numbers, expected [{}, {}]; decompose again",
                 entry.value, entry.shared.size(), entry.intrinsic.size(), axes.n_layer, axes.n_embd);
        }
        std::vector<bool> defined(axes.n_layer);
        std::vector<std::size_t> undefined;
        for (std::size_t layer = 0; layer < axes.n_layer; ++layer) {
            defined[layer] = is_defined(entry, layer, axes.n_embd);
            if (!defined[layer]) {
                undefined.push_back(layer);
            }
        }
        if (undefined.size() == axes.n_layer) {
            plan.notes.push_back(fmt::format("{}: its axes are undefined at all layers", entry.value));
            continue;
        }
        if (!undefined.empty()) {
            plan.notes.push_back(fmt::format("{}: its axes are undefined at layer{} {}, no neurons there", entry.value,
                                             undefined.size() > 1 ? "s" : "", layer_list(undefined)));
        }
        const auto known = std::find(plan.groups.begin(), plan.groups.end(), defined);
        plan.values.push_back({position, static_cast<std::size_t>(known - plan.groups.begin())});
        if (known == plan.groups.end()) {
            plan.groups.push_back(defined);
        }
    }
    if (plan.values.empty()) {
        fail(ErrorKind::bad_input, "no value has axes: {}", fmt::join(plan.notes, "; "));
    }
    return plan;
}

} // namespace valuelens
