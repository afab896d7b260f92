#include "pipeline/steer_spec.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/fail.h"
#include "pipeline/neuron_spec.h"
#include "store/provenance.h"
#include "store/safetensors.h"

namespace valuelens {

namespace {

template <typename Choice, std::size_t n>
Choice choose(const SpecText & spec, const std::string & name, const std::pair<const char *, Choice> (&choices)[n]) {
    const std::optional<std::string> text = spec.find(name);
    if (!text) {
        return choices[0].second;
    }
    std::string known;
    for (const auto & [word, choice] : choices) {
        if (*text == word) {
            return choice;
        }
        known += (known.empty() ? "" : ", ") + std::string(word);
    }
    spec.bad(fmt::format("{}={} is unknown; known: {}", name, *text, known));
}

double norm_of(std::span<const float> vector) {
    double sum = 0;
    for (const float x : vector) {
        sum += static_cast<double>(x) * static_cast<double>(x);
    }
    return std::sqrt(sum);
}

std::string shape_text(const std::vector<std::size_t> & shape) {
    return fmt::format("[{}]", fmt::join(shape, ", "));
}

/// The mean residual norm of each layer, where the unit asks for it.
std::vector<float> read_resid_norm(const SteerSpec & spec, const SafetensorsFile & file, std::size_t n_layer) {
    if (!spec.resid_unit) {
        return {};
    }
    if (!file.contains("resid_norm")) {
        fail(ErrorKind::bad_input, "{}: has no tensor \"resid_norm\", which unit=resid needs; use unit=raw",
             spec.file.string());
    }
    std::vector<float> norms = file.read_f32("resid_norm");
    if (norms.size() != n_layer) {
        fail(ErrorKind::bad_input, "{}: \"resid_norm\" has {} numbers, expected one for each of the {} layers",
             spec.file.string(), norms.size(), n_layer);
    }
    return norms;
}

LayerDirection make_direction(const SteerSpec & spec, int layer, std::span<const float> vector,
                              std::span<const float> resid_norm) {
    const auto bad = [&](const std::string & problem) {
        fail(ErrorKind::bad_input, "{}: \"{}\" {} at layer {}; choose other layers with layers=A-B", spec.file.string(),
             spec.key, problem, layer);
    };
    if (!std::all_of(vector.begin(), vector.end(), [](float x) { return std::isfinite(x); })) {
        bad("is undefined (NaN)");
    }
    LayerDirection direction;
    direction.layer = layer;
    direction.vector.assign(vector.begin(), vector.end());
    direction.alpha = spec.alpha;
    direction.mode = spec.mode;
    direction.tokens = spec.tokens;

    const double norm = norm_of(vector);
    if (norm == 0 && (spec.mode != SteerMode::add || spec.resid_unit)) {
        bad("is zero, so it has no direction");
    }
    if (spec.resid_unit) {
        const double resid = resid_norm[static_cast<std::size_t>(layer)];
        if (!std::isfinite(resid) || resid <= 0) {
            bad("has no mean residual norm (resid_norm)");
        }
        // alpha resid_norm v/|v|; clamp takes the unit vector by itself, so only the component it sets is scaled.
        const double factor = spec.mode == SteerMode::add ? resid / norm : resid;
        direction.alpha = static_cast<float>(spec.alpha * factor);
    }
    return direction;
}

} // namespace

SteerSpec parse_steer_spec(const std::string & text) {
    SteerSpec spec;
    spec.text = parse_spec_text(text, "--steer", {"layers", "alpha", "mode", "tokens", "unit"});
    const std::size_t colon = spec.text.head.rfind(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == spec.text.head.size()) {
        spec.text.bad("expected FILE:KEY, the file of directions and the name of the tensor in it");
    }
    spec.file = spec.text.head.substr(0, colon);
    spec.key = spec.text.head.substr(colon + 1);
    spec.layers = layer_range(spec.text);
    const std::optional<float> alpha = spec.text.number("alpha");
    spec.alpha = alpha.value_or(1.0f);
    spec.mode = choose<SteerMode>(
        spec.text, "mode", {{"add", SteerMode::add}, {"ablate", SteerMode::ablate}, {"clamp", SteerMode::clamp}});
    spec.tokens = choose<TokenScope>(
        spec.text, "tokens",
        {{"all", TokenScope::all}, {"response", TokenScope::response}, {"prompt", TokenScope::prompt}});
    spec.resid_unit = choose<bool>(spec.text, "unit", {{"raw", false}, {"resid", true}});
    if (spec.mode == SteerMode::ablate && (alpha || spec.resid_unit)) {
        spec.text.bad("mode=ablate takes the whole component out and has no alpha or unit");
    }
    return spec;
}

std::vector<LayerDirection> load_directions(const SteerSpec & spec, const ModelInfo & model) {
    const SafetensorsFile file(spec.file);
    const Provenance provenance = provenance_from_metadata(file.metadata(), spec.file);
    require_same_model(provenance, model.identity, model.name, spec.file);
    require_same_location(provenance, "resid_post", spec.file);

    const auto n_layer = static_cast<std::size_t>(model.n_layer);
    const auto n_embd = static_cast<std::size_t>(model.n_embd);
    const std::vector<std::size_t> & shape = file.find(spec.key).shape;
    const bool per_layer = shape == std::vector{n_layer, n_embd};
    if (!per_layer && shape != std::vector{n_embd}) {
        fail(ErrorKind::bad_input, "{}: \"{}\" has shape {}, expected {} or {}", spec.file.string(), spec.key,
             shape_text(shape), shape_text({n_layer, n_embd}), shape_text({n_embd}));
    }
    if (!per_layer && !spec.layers) {
        spec.text.bad(
            fmt::format("\"{}\" is one vector for no layer in particular; name the layers with layers=A-B", spec.key));
    }
    const LayerRange range = spec.layers.value_or(LayerRange{0, model.n_layer - 1});
    require_layers(spec.text, range, model.n_layer);

    const std::vector<float> values = file.read_f32(spec.key);
    const std::vector<float> resid_norm = read_resid_norm(spec, file, n_layer);
    std::vector<LayerDirection> directions;
    for (int layer = range.first; layer <= range.last; ++layer) {
        const std::size_t row = per_layer ? static_cast<std::size_t>(layer) : 0;
        directions.push_back(make_direction(spec, layer, std::span(values).subspan(row * n_embd, n_embd), resid_norm));
    }
    return directions;
}

std::shared_ptr<const Intervention> load_intervention(std::span<const std::string> steer,
                                                      std::span<const std::string> scale_neurons,
                                                      const ModelInfo & model) {
    if (steer.empty() && scale_neurons.empty()) {
        return nullptr;
    }
    std::vector<SteerSpec> steer_specs;
    for (const std::string & text : steer) {
        steer_specs.push_back(parse_steer_spec(text));
    }
    std::vector<NeuronSpec> neuron_specs;
    for (const std::string & text : scale_neurons) {
        neuron_specs.push_back(parse_neuron_spec(text));
    }
    auto intervention = std::make_shared<Intervention>();
    for (const SteerSpec & spec : steer_specs) {
        for (LayerDirection & direction : load_directions(spec, model)) {
            intervention->directions.push_back(std::move(direction));
        }
    }
    intervention->neurons = load_neuron_scales(neuron_specs, model);
    return intervention;
}

} // namespace valuelens
