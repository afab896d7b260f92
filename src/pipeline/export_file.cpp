#include "pipeline/export_file.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/fail.h"
#include "engine/ablate_weights.h"
#include "pipeline/neuron_spec.h"
#include "steer/export_directions.h"
#include "steer/neuron_lora.h"
#include "store/provenance.h"
#include "valuelens/model.h"

namespace valuelens {

namespace {

bool of_neurons(ExportFormat format) {
    return format == ExportFormat::lora || format == ExportFormat::peft;
}

void require_options(const ExportOptions & options) {
    if (!std::isfinite(options.alpha)) {
        fail(ErrorKind::usage, "--alpha {}: expected a finite number", options.alpha);
    }
    if (of_neurons(options.format)) {
        if (options.scale_neurons.empty() || options.model.empty()) {
            fail(ErrorKind::usage, "--format lora and peft export scaled neurons: give --scale-neurons and -m MODEL");
        }
        if (!options.from.empty() || !options.key.empty() || options.location != RowLocation::layer_output ||
            options.layers || options.alpha != 1.0f || options.resid_unit) {
            fail(
                ErrorKind::usage,
                "--format lora and peft export scaled neurons; --from, --key, --location, --layers, --alpha and --unit "
                "belong to a direction (layers and factor of neurons stand in --scale-neurons)");
        }
        return;
    }
    if (options.format == ExportFormat::ablated &&
        (options.model.empty() || options.alpha != 1.0f || options.resid_unit || !options.scale_neurons.empty())) {
        fail(ErrorKind::usage,
             "--ablate takes a direction out of a model: give -m MODEL, --from FILE and --key KEY, and "
             "no --alpha, --unit or --scale-neurons");
    }
    if (!options.scale_neurons.empty()) {
        fail(ErrorKind::usage, "--scale-neurons is exported with --format lora or peft");
    }
    if (options.from.empty()) {
        fail(ErrorKind::usage, "say which direction to export, with --from FILE and --key KEY");
    }
}

void require_model_of(const Directions & directions, const ExportOptions & options, const ModelInfo & model) {
    if (directions.provenance) {
        require_same_model(*directions.provenance, model.identity, model.name, options.from);
    }
    const int last = directions.layers.empty() ? 0 : directions.layers.back();
    if (directions.n_embd != static_cast<std::size_t>(model.n_embd) || last >= model.n_layer) {
        fail(ErrorKind::bad_input,
             "{}: \"{}\" is {} wide and reaches to layer {}; the model has width {} and the layers 0-{}",
             options.from.string(), directions.key, directions.n_embd, last, model.n_embd, model.n_layer - 1);
    }
}

ExportResult export_direction(const ExportOptions & options) {
    Directions directions = read_directions(options.from, options.key, options.location);
    if (directions.provenance) {
        require_same_location(*directions.provenance, "resid_post", options.from);
    }
    if (!options.model.empty()) {
        const ModelInfo model = read_model_info(options.model);
        require_model_of(directions, options, model);
        leave_out_final_norm(directions, model.n_layer);
        directions.model_hint = model.architecture;
        if (options.layers && options.layers->last >= model.n_layer) {
            fail(ErrorKind::usage, "--layers {}-{} reaches beyond the model, whose blocks are 0-{}",
                 options.layers->first, options.layers->last, model.n_layer - 1);
        }
    }
    Strength strength;
    strength.alpha = options.alpha;
    strength.resid_unit = options.resid_unit;
    strength.layers_option = "--layers A-B";
    strength.raw_option = "--unit raw";
    const Directions folded = fold_directions(directions, options.layers ? options.layers->first : -1,
                                              options.layers ? options.layers->last : -1, strength);
    const std::map<std::string, std::string> how = {{"source_key", directions.key},
                                                    {"source", options.from.filename().string()},
                                                    {"alpha", fmt::format("{}", options.alpha)},
                                                    {"unit", options.resid_unit ? "resid" : "raw"}};
    ExportResult result;
    result.layers = folded.layers;
    result.n_embd = folded.n_embd;
    result.notes = folded.notes;
    if (options.format == ExportFormat::gguf) {
        for (std::string & note : write_directions_gguf(options.output, folded, how)) {
            result.notes.push_back(options.output.string() + ": " + std::move(note));
        }
        result.layers.erase(std::remove(result.layers.begin(), result.layers.end(), 0), result.layers.end());
    } else if (options.format == ExportFormat::safetensors) {
        write_directions_safetensors(options.output, folded, how);
    } else {
        write_directions_npz(options.output, folded, how);
    }
    return result;
}

ExportResult export_ablated(const ExportOptions & options, ProgressSink & progress, std::stop_token stop) {
    Directions directions = read_directions(options.from, options.key, options.location);
    const ModelInfo model = read_model_info(options.model);
    if (directions.provenance) {
        require_same_location(*directions.provenance, "resid_post", options.from);
    }
    require_model_of(directions, options, model);
    leave_out_final_norm(directions, model.n_layer);
    const bool one_layer = options.layers && options.layers->first == options.layers->last;
    if (options.layers ? !one_layer : directions.layers.size() > 1) {
        fail(
            ErrorKind::usage,
            "--ablate takes one direction out of the whole model, and {}: \"{}\" has {}; say which row with --layers N",
            options.from.string(), directions.key,
            options.layers ? "several are named" : fmt::format("{}", directions.layers.size()));
    }
    const int layer = options.layers              ? options.layers->first
                      : directions.layers.empty() ? 0
                                                  : directions.layers.front();
    const std::span<const float> row = row_of_layer(directions, layer);
    Strength strength;
    strength.mode = SteerMode::ablate;
    strength.layers_option = "--layers N";
    static_cast<void>(row_alpha(directions, layer, row, strength)); // defined and not zero
    const std::map<std::string, std::string> texts = {
        {"valuelens.ablated.source", options.from.filename().string()},
        {"valuelens.ablated.source_key", directions.key},
        {"valuelens.ablated.layer", directions.layers.empty() ? std::string("any") : fmt::format("{}", layer)},
        {"valuelens.ablated.model_hash", model.identity},
        {"valuelens.tool_version", VALUELENS_VERSION}};
    ExportResult result;
    result.ablated = write_ablated_model(options.model, options.output, row, texts, progress, std::move(stop));
    result.n_embd = row.size();
    result.notes = directions.notes;
    return result;
}

ExportResult export_neurons(const ExportOptions & options) {
    std::vector<NeuronSpec> specs;
    for (const std::string & text : options.scale_neurons) {
        specs.push_back(parse_neuron_spec(text));
    }
    const ModelInfo model = read_model_info(options.model);
    if (options.format == ExportFormat::peft) {
        require_peft_names(model.architecture);
    }
    const NeuronLora lora = make_neuron_lora(options.model, load_neuron_scales(specs, model));
    const std::map<std::string, std::string> how = {
        {"scale_neurons", fmt::format("{}", fmt::join(options.scale_neurons, " "))}};
    if (options.format == ExportFormat::lora) {
        write_neuron_lora_gguf(options.output, lora, how);
    } else {
        write_neuron_lora_peft(options.output, lora, how);
    }
    ExportResult result;
    result.layers = lora.layers; // experts and shared expert of a block have a pair each
    result.layers.erase(std::unique(result.layers.begin(), result.layers.end()), result.layers.end());
    result.n_neurons = lora.n_neurons;
    for (const LoraPair & pair : lora.pairs) {
        result.rank = std::max(result.rank, pair.rank);
    }
    return result;
}

} // namespace

ExportResult export_file(const ExportOptions & options, ProgressSink & progress, std::stop_token stop) {
    require_options(options);
    const ExportResult result = of_neurons(options.format) ? export_neurons(options)
                                : options.format == ExportFormat::ablated
                                    ? export_ablated(options, progress, std::move(stop))
                                    : export_direction(options);
    for (const std::string & note : result.notes) {
        progress.message(LogLevel::warning, note);
    }
    return result;
}

} // namespace valuelens
