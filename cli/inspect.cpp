#include <memory>

#include "base/fail.h"
#include "cli/command.h"
#include "cli/decompose_output.h"
#include "cli/evaluation_output.h"
#include "cli/inspect_output.h"
#include "cli/vectors_output.h"
#include "pipeline/inspect_file.h"

namespace valuelens {

namespace {

/// The numbers that a file of vectors or axes is opened for.
Outcome headline(const FileInspection & found, const std::string & file) {
    switch (found.kind) {
    case FileKind::vectors:
        return vectors_outcome(read_value_vectors(file), file);
    case FileKind::axes:
        return axes_outcome(read_axes(file), file);
    case FileKind::evaluation:
        return describe_evaluation(read_evaluation(file), file);
    default:
        return {nlohmann::ordered_json::object(), ""};
    }
}

std::string shape_text(const std::vector<std::size_t> & shape) {
    return fmt::format("[{}]", fmt::join(shape, ", "));
}

} // namespace

Outcome inspection_outcome(const std::string & file) {
    const FileInspection found = inspect_file(file);
    Outcome numbers = headline(found, file);
    nlohmann::ordered_json json = {{"file", file}, {"kind", to_string(found.kind)}, {"bytes", found.bytes}};
    std::string text = fmt::format("{}: {}", file, to_string(found.kind));
    if (found.bytes > 0) {
        text += fmt::format(", {} bytes", found.bytes);
    }
    if (found.provenance) {
        const Provenance & provenance = *found.provenance;
        json["provenance"] = {{"model_name", provenance.model_name},
                              {"model_hash", provenance.model_hash},
                              {"location", provenance.location},
                              {"layer_convention", provenance.layer_convention},
                              {"tool_version", provenance.tool_version}};
        text += fmt::format("\nmodel {} ({:.12}), {}, {}, valuelens {}", provenance.model_name, provenance.model_hash,
                            provenance.location, provenance.layer_convention, provenance.tool_version);
    }
    nlohmann::ordered_json facts = nlohmann::ordered_json::object();
    for (const auto & [name, value] : found.facts) {
        facts[name] = value;
        text += fmt::format("\n{:<18} {}", name, value);
    }
    json["facts"] = std::move(facts);
    nlohmann::ordered_json tensors = nlohmann::ordered_json::array();
    for (const FileInspection::Tensor & tensor : found.tensors) {
        tensors.push_back({{"name", tensor.name}, {"type", tensor.type}, {"shape", tensor.shape}});
        text += fmt::format("\n{:<32} {:<5} {}", tensor.name, tensor.type, shape_text(tensor.shape));
    }
    json["tensors"] = std::move(tensors);
    if (!numbers.text.empty()) {
        json["statistics"] = std::move(numbers.json);
        text += "\n\n" + numbers.text;
    }
    return {std::move(json), std::move(text)};
}

void setup_inspect(CLI::App & app, Context & context) {
    auto file = std::make_shared<std::string>();
    CLI::App * command =
        add_command(app, context, "inspect", "What a file of valuelens, a run or a model holds",
                    "valuelens inspect vectors.safetensors", [file] { return inspection_outcome(*file); });
    command
        ->add_option("file", *file,
                     "A run's or PEFT folder, safetensors, npz, GGUF, neurons.csv, JSON, JSON lines or TOML")
        ->required()
        ->type_name("FILE");
}

} // namespace valuelens
