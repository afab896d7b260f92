#include "pipeline/steer_spec.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/fail.h"
#include "base/hash.h"
#include "pipeline/neuron_spec.h"
#include "store/provenance.h"

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

std::string shape_text(const std::vector<std::size_t> & shape) {
    return fmt::format("[{}]", fmt::join(shape, ", "));
}

/// Whether the file's rows can be those of the model.
void require_fit(const SteerSpec & spec, const Directions & directions, const ModelInfo & model) {
    const auto n_layer = static_cast<std::size_t>(model.n_layer);
    const auto n_embd = static_cast<std::size_t>(model.n_embd);
    const bool one_more = directions.shape[0] == n_layer + 1;
    const bool hidden_states = spec.location == RowLocation::layer_input && one_more;
    if (directions.n_embd != n_embd || (directions.all_layers && directions.shape[0] != n_layer && !hidden_states)) {
        fail(ErrorKind::bad_input, "{}: \"{}\" has shape {}, expected {} or {}{}", spec.file.string(), directions.key,
             shape_text(directions.shape), shape_text({n_layer, n_embd}), shape_text({n_embd}),
             one_more && directions.all_layers && directions.n_embd == n_embd
                 ? "; one row more than blocks is transformers' hidden_states: read it with location=layer_input"
                 : "");
    }
    if (!directions.layers.empty() && directions.layers.back() >= model.n_layer) {
        fail(ErrorKind::bad_input, "{}: \"{}\" has a direction for layer {}, the model has the layers 0-{}",
             spec.file.string(), directions.key, directions.layers.back(), model.n_layer - 1);
    }
}

} // namespace

SteerSpec parse_steer_spec(const std::string & text) {
    SteerSpec spec;
    spec.text = parse_spec_text(text, "--steer", {"layers", "alpha", "mode", "tokens", "unit", "location"});
    if (spec.text.head.ends_with(".gguf")) {
        spec.file = spec.text.head;
    } else {
        const std::size_t colon = spec.text.head.rfind(':');
        if (colon == std::string::npos || colon == 0 || colon + 1 == spec.text.head.size()) {
            spec.text.bad("expected FILE:KEY, the file of directions and the name of the tensor in it");
        }
        spec.file = spec.text.head.substr(0, colon);
        spec.key = spec.text.head.substr(colon + 1);
    }
    spec.layers = layer_range(spec.text);
    const std::optional<float> alpha = spec.text.number("alpha");
    spec.alpha = alpha.value_or(1.0f);
    spec.mode = choose<SteerMode>(
        spec.text, "mode", {{"add", SteerMode::add}, {"ablate", SteerMode::ablate}, {"clamp", SteerMode::clamp}});
    spec.tokens = choose<TokenScope>(
        spec.text, "tokens",
        {{"all", TokenScope::all}, {"response", TokenScope::response}, {"prompt", TokenScope::prompt}});
    spec.resid_unit = choose<bool>(spec.text, "unit", {{"raw", false}, {"resid", true}});
    spec.location =
        choose<RowLocation>(spec.text, "location",
                            {{"layer_output", RowLocation::layer_output}, {"layer_input", RowLocation::layer_input}});
    if (spec.mode == SteerMode::ablate && (alpha || spec.resid_unit)) {
        spec.text.bad("mode=ablate takes the whole component out and has no alpha or unit");
    }
    return spec;
}

std::vector<LayerDirection> load_directions(const SteerSpec & spec, const ModelInfo & model, ProgressSink & progress) {
    Directions directions = read_directions(spec.file, spec.key, spec.location);
    if (directions.provenance) {
        require_same_model(*directions.provenance, model.identity, model.name, spec.file);
        require_same_location(*directions.provenance, "resid_post", spec.file);
    }
    require_fit(spec, directions, model);
    leave_out_final_norm(directions, model.n_layer);
    for (const std::string & note : directions.notes) {
        progress.message(LogLevel::warning, note);
    }
    std::vector<int> layers = directions.layers;
    if (spec.layers) {
        require_layers(spec.text, *spec.layers, model.n_layer);
        layers.resize(static_cast<std::size_t>(spec.layers->last - spec.layers->first + 1));
        std::iota(layers.begin(), layers.end(), spec.layers->first);
    } else if (layers.empty()) {
        spec.text.bad(fmt::format("\"{}\" is one vector for no layer in particular; name the layers with layers=A-B",
                                  directions.key));
    }
    Strength strength;
    strength.alpha = spec.alpha;
    strength.resid_unit = spec.resid_unit;
    strength.mode = spec.mode;
    std::vector<LayerDirection> loaded;
    for (const int layer : layers) {
        const std::span<const float> row = row_of_layer(directions, layer);
        loaded.push_back(
            {layer, {row.begin(), row.end()}, row_alpha(directions, layer, row, strength), spec.mode, spec.tokens});
    }
    return loaded;
}

std::shared_ptr<const Intervention> load_intervention(std::span<const std::string> steer,
                                                      std::span<const std::string> scale_neurons,
                                                      const ModelInfo & model, ProgressSink & progress) {
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
        for (LayerDirection & direction : load_directions(spec, model, progress)) {
            intervention->directions.push_back(std::move(direction));
        }
    }
    intervention->neurons = load_neuron_scales(neuron_specs, model);
    return intervention;
}

std::vector<std::pair<std::string, std::string>> intervention_files(std::span<const std::string> steer,
                                                                    std::span<const std::string> scale_neurons) {
    std::vector<std::filesystem::path> paths;
    for (const std::string & text : steer) {
        paths.push_back(parse_steer_spec(text).file);
    }
    for (const std::string & text : scale_neurons) {
        paths.push_back(parse_neuron_spec(text).file);
    }
    std::vector<std::pair<std::string, std::string>> files;
    for (auto path = paths.begin(); path != paths.end(); ++path) {
        if (std::find(paths.begin(), path, *path) == path) {
            files.emplace_back(path->string(), sha256_file(*path));
        }
    }
    return files;
}

} // namespace valuelens
