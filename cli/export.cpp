#include <memory>

#include "base/fail.h"
#include "cli/command.h"
#include "cli/engine_options.h"
#include "cli/intervention_options.h"
#include "pipeline/export_file.h"
#include "valuelens/models.h"

namespace valuelens {

namespace {

struct ExportCommandOptions {
    std::string from;
    std::string key;
    std::string location = "layer_output";
    std::string format;
    bool ablate = false;
    std::string output;
    std::optional<std::string> layers;
    float alpha = 1.0f;
    std::string unit = "raw";
    std::optional<std::string> model;
    std::optional<int> threads;
    std::vector<std::string> scale_neurons;
};

ExportFormat format_from_string(const std::string & text) {
    return text == "gguf"          ? ExportFormat::gguf
           : text == "safetensors" ? ExportFormat::safetensors
           : text == "npz"         ? ExportFormat::npz
           : text == "lora"        ? ExportFormat::lora
                                   : ExportFormat::peft;
}

std::string describe(const ExportCommandOptions & given, const ExportResult & result) {
    const std::string layers = result.layers.size() == 1 ? fmt::format("layer {}", result.layers.front())
                                                         : fmt::format("{} layers ({} to {})", result.layers.size(),
                                                                       result.layers.front(), result.layers.back());
    if (result.n_neurons > 0) {
        return fmt::format("{}: {} neurons in {}, rank {}", given.output, result.n_neurons, layers, result.rank);
    }
    return fmt::format("{}: {}, {} numbers each", given.output, layers, result.n_embd);
}

Outcome ablated_outcome(const ExportCommandOptions & given, const ExportResult & result) {
    const AblatedModel & model = result.ablated;
    const nlohmann::ordered_json json = {{"output", given.output},
                                         {"format", "model"},
                                         {"tensors_changed", model.n_changed},
                                         {"tensors_widened", model.n_widened},
                                         {"head_separated", model.untied},
                                         {"bytes", model.bytes},
                                         {"notes", result.notes}};
    std::string text = fmt::format("{}: {} tensors changed", given.output, model.n_changed);
    if (model.n_widened > 0) {
        text += fmt::format(", {} of them from quantised to F16", model.n_widened);
    }
    if (model.untied) {
        text += "; the output head, which was the embedding, keeps its weights by itself";
    }
    return {json, fmt::format("{} ({} MB)", text, model.bytes / 1'000'000)};
}

Outcome run_export(const ExportCommandOptions & given, Context & context) {
    ExportOptions options;
    if (given.ablate != given.format.empty()) {
        fail(ErrorKind::usage, "say what to write with --format, or --ablate alone for a changed model");
    }
    options.format = given.ablate ? ExportFormat::ablated : format_from_string(given.format);
    options.output = given.output;
    options.from = given.from;
    options.key = given.key;
    options.location = given.location == "layer_input" ? RowLocation::layer_input : RowLocation::layer_output;
    options.alpha = given.alpha;
    options.resid_unit = given.unit == "resid";
    options.scale_neurons = given.scale_neurons;
    if (given.layers) {
        options.layers = parse_layer_range(*given.layers);
        if (!options.layers) {
            fail(ErrorKind::usage, "--layers {}: is no range; write A-B with block numbers from 0, A not above B",
                 *given.layers);
        }
    }
    if (given.model) {
        options.model =
            resolve_model(*given.model, {.threads = given.threads.value_or(0)}, context.console, context.stop).string();
    }
    const ExportResult result = export_file(options, context.console, context.stop);
    if (given.ablate) {
        return ablated_outcome(given, result);
    }
    nlohmann::ordered_json json = {{"output", given.output}, {"format", given.format}, {"layers", result.layers}};
    if (result.n_neurons > 0) {
        json["n_neurons"] = result.n_neurons;
        json["rank"] = result.rank;
    } else {
        json["n_embd"] = result.n_embd;
    }
    json["notes"] = result.notes;
    return {json, describe(given, result)};
}

} // namespace

void setup_export(CLI::App & app, Context & context) {
    auto options = std::make_shared<ExportCommandOptions>();
    CLI::App * command = add_command(
        app, context, "export", "Write a direction or scaled neurons for llama.cpp, PEFT, numpy, repeng, EasySteer",
        "valuelens export --from axes.safetensors --key power/shared --format gguf --output power.gguf\n"
        "  valuelens export -m smollm2-135m --scale-neurons neurons.csv,value=power,category=shared "
        "--format lora --output power-off.gguf",
        [options, &context] { return run_export(*options, context); });
    command
        ->add_option(
            "--format", options->format,
            "A direction: gguf (control vector), safetensors, npz; scaled neurons: lora (GGUF), peft (a folder)")
        ->check(unnamed(CLI::IsMember({"gguf", "safetensors", "npz", "lora", "peft"})))
        ->type_name("FORMAT");
    command->add_flag("--ablate", options->ablate,
                      "Instead of a format: a copy of the model (GGUF) whose weights cannot write along the direction");
    command->add_option("--output", options->output, "The file; of peft, the folder")->required()->type_name("FILE");
    constexpr const char * direction = "A direction";
    command->add_option("--from", options->from, "File of directions: safetensors, npz, or a GGUF control vector")
        ->type_name("FILE")
        ->group(direction);
    command->add_option("--key", options->key, "Tensor in the file; a control vector needs none")
        ->type_name("KEY")
        ->group(direction);
    command
        ->add_option("--location", options->location,
                     "What the rows of another tool's file are counted by: the output of a block, or its input "
                     "(layer_output)")
        ->check(unnamed(CLI::IsMember({"layer_output", "layer_input"})))
        ->type_name("layer_output|layer_input")
        ->group(direction);
    command->add_option("--layers", options->layers, "Blocks at whose output it acts (all that the file has)")
        ->type_name("A-B")
        ->group(direction);
    command->add_option("--alpha", options->alpha, "Factor that is multiplied in (1)")
        ->type_name("X")
        ->group(direction);
    command
        ->add_option("--unit", options->unit,
                     "Of alpha: raw, or resid (a fraction of the mean residual norm of each layer) (raw)")
        ->check(unnamed(CLI::IsMember({"raw", "resid"})))
        ->type_name("raw|resid")
        ->group(direction);
    constexpr const char * neurons = "Scaled neurons";
    add_scale_neurons_option(*command, options->scale_neurons, neurons);
    command
        ->add_option(
            "-m,--model", options->model,
            "GGUF file, or NAME[:TYPE] of `valuelens models list`; needed for lora, peft and --ablate, checked for a "
            "direction")
        ->type_name("MODEL")
        ->group("Engine");
    add_threads_option(*command, options->threads);
}

} // namespace valuelens
