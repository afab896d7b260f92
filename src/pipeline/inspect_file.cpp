#include "pipeline/inspect_file.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <map>

#include "base/fail.h"
#include "base/file.h"
#include "engine/adapter_file.h"
#include "pipeline/inspect_results.h"
#include "steer/npz.h"
#include "store/provenance.h"
#include "store/safetensors.h"
#include "valuelens/model.h"
#include "valuelens/run.h"

namespace valuelens {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

bool has_entry(const SafetensorsFile & file, const char * key) {
    return file.metadata().count(key) != 0;
}

FileKind safetensors_kind(const SafetensorsFile & file) {
    if (has_entry(file, "probe")) {
        return FileKind::probe;
    }
    if (has_entry(file, "counts")) {
        return FileKind::slice_sums;
    }
    if (has_entry(file, "ids")) {
        return FileKind::activations;
    }
    const std::vector<std::string> names = file.names();
    const auto any_ends_with = [&](const char * ending) {
        return std::any_of(names.begin(), names.end(),
                           [&](const std::string & name) { return name.ends_with(ending); });
    };
    if (file.contains("layers")) {
        return FileKind::directions;
    }
    if (any_ends_with("/shared")) {
        return FileKind::axes;
    }
    return any_ends_with("/intrinsic") || any_ends_with("/prompted") ? FileKind::vectors : FileKind::tensors;
}

/// The short entries of the metadata; lists of ids and statistics are told by their length.
void add_metadata(const SafetensorsFile & file, FileInspection & result) {
    constexpr std::size_t longest = 120;
    static const std::vector<std::string> of_provenance{"model_name", "model_hash", "location", "layer_convention",
                                                        "tool_version"};
    for (const auto & [key, value] : file.metadata()) {
        if (result.provenance && std::find(of_provenance.begin(), of_provenance.end(), key) != of_provenance.end()) {
            continue;
        }
        if (key == "ids") {
            const json ids = json::parse(value, nullptr, false);
            result.facts.emplace_back("responses", std::to_string(ids.is_array() ? ids.size() : 0));
        } else if (value.size() <= longest) {
            result.facts.emplace_back(key, value);
        } else {
            result.facts.emplace_back(key, fmt::format("{} characters", value.size()));
        }
    }
}

FileInspection inspect_safetensors(const fs::path & path) {
    const SafetensorsFile file(path);
    FileInspection result;
    result.kind = safetensors_kind(file);
    const bool ours = has_entry(file, "model_hash");
    if (!ours && (result.kind == FileKind::axes || result.kind == FileKind::vectors)) {
        result.kind = FileKind::tensors; // named alike, but without what the readers of ours need
    }
    if (ours) {
        result.provenance = provenance_from_metadata(file.metadata(), path);
    }
    add_metadata(file, result);
    for (const std::string & name : file.names()) {
        const TensorView & tensor = file.find(name);
        result.tensors.push_back({name, to_string(tensor.dtype), tensor.shape});
    }
    return result;
}

FileInspection inspect_npz(const fs::path & path) {
    const NpzFile file(path);
    FileInspection result;
    result.kind = file.contains("layers") ? FileKind::directions : FileKind::tensors;
    for (const std::string & name : file.names()) {
        NpyArray array;
        try {
            array = file.find(name);
        } catch (const Error & error) { // the others can still be looked at
            result.facts.emplace_back(name, error.what());
            continue;
        }
        if (const std::string text = file.read_text(name); !text.empty()) {
            result.facts.emplace_back(name, text);
        } else {
            result.tensors.push_back({name, array.descr, array.shape});
        }
    }
    return result;
}

FileInspection inspect_control_vector(const fs::path & path) {
    const ControlVector vector = read_control_vector(path);
    FileInspection result;
    result.kind = FileKind::directions;
    result.facts = {{"format", "llama.cpp control vector: direction.N acts on the output of block N"},
                    {"model hint", vector.model_hint}};
    for (const auto & [key, text] : vector.texts) {
        result.facts.emplace_back(key, text);
    }
    for (const auto & [block, direction] : vector.directions) {
        result.tensors.push_back({fmt::format("direction.{}", block), "F32", {direction.size()}});
    }
    return result;
}

FileInspection inspect_lora(const fs::path & path) {
    const LoraSummary lora = read_lora_summary(path);
    FileInspection result;
    result.kind = FileKind::adapter;
    result.facts = {{"format", "LoRA adapter of llama.cpp: adds alpha / rank lora_b lora_a to each weight"},
                    {"architecture", lora.architecture},
                    {"alpha", fmt::format("{}", lora.alpha)},
                    {"weights changed", std::to_string(lora.pairs.size())}};
    for (const auto & [key, text] : lora.texts) {
        if (key != "general.architecture" && key != "general.type" && key != "adapter.type") {
            result.facts.emplace_back(key, text);
        }
    }
    for (const LoraSummary::Pair & pair : lora.pairs) {
        result.tensors.push_back({pair.weight + ".lora_a", pair.type, pair.a_shape});
        result.tensors.push_back({pair.weight + ".lora_b", pair.type, pair.b_shape});
    }
    return result;
}

FileInspection inspect_gguf(const fs::path & path) {
    // The kind stands in the header, whose text entries come first.
    std::string header(4096, '\0');
    std::ifstream(path, std::ios::binary).read(header.data(), static_cast<std::streamsize>(header.size()));
    if (header.find("controlvector") != std::string::npos) {
        return inspect_control_vector(path);
    }
    if (is_adapter_file(path)) {
        return inspect_lora(path);
    }
    const ModelInfo info = read_model_info(path.string());
    FileInspection result;
    result.kind = FileKind::model;
    result.facts = {{"name", info.name},
                    {"description", info.description},
                    {"identity", info.identity},
                    {"blocks", std::to_string(info.n_layer)},
                    {"n_embd", std::to_string(info.n_embd)},
                    {"n_ff", std::to_string(info.n_ff)},
                    {"experts", std::to_string(info.n_expert)},
                    {"vocabulary", std::to_string(info.n_vocab)},
                    {"trained context", std::to_string(info.n_ctx_train)},
                    {"chat template", info.has_chat_template ? "yes" : "no"}};
    return result;
}

/// [value] what neurons.json says of chance, by category.
std::map<std::string, json> neuron_chances(const json & companion) {
    std::map<std::string, json> chances;
    if (companion.is_object() && companion.contains("values") && companion["values"].is_array()) {
        for (const json & entry : companion["values"]) {
            if (entry.is_object() && entry.contains("chance")) {
                chances[text_of(entry, "value")] = entry["chance"];
            }
        }
    }
    return chances;
}

/// " (chance 3 [1, 6])", or nothing where it is not known.
std::string chance_text(const std::map<std::string, json> & chances, const std::string & value,
                        const std::string & category) {
    const auto of_value = chances.find(value);
    if (of_value == chances.end() || !of_value->second.is_object() || !of_value->second.contains(category)) {
        return {};
    }
    const json & chance = of_value->second[category];
    const bool known = chance.is_array() && chance.size() == 3 &&
                       std::all_of(chance.begin(), chance.end(), [](const json & x) { return x.is_number(); });
    return known ? fmt::format(" (chance {:.0f} [{:.0f}, {:.0f}])", chance[0].get<double>(), chance[1].get<double>(),
                               chance[2].get<double>())
                 : std::string();
}

FileInspection inspect_neurons(const fs::path & path) {
    const std::string text = read_file(path);
    FileInspection result;
    result.kind = FileKind::neurons;
    std::map<std::string, std::map<std::string, std::size_t>> counts; // value, category
    std::size_t rows = 0;
    std::size_t begin = text.find('\n');
    while (begin != std::string::npos && begin + 1 < text.size()) {
        const std::size_t end = std::min(text.find('\n', begin + 1), text.size());
        const std::string line = text.substr(begin + 1, end - begin - 1);
        if (!line.empty()) {
            ++rows;
            ++counts[line.substr(0, line.find(','))][line.substr(line.rfind(',') + 1)];
        }
        begin = end == text.size() ? std::string::npos : end;
    }
    result.facts.emplace_back("neurons", std::to_string(rows));
    fs::path beside = path;
    beside.replace_extension(".json");
    const json companion = fs::exists(beside) ? json::parse(read_file(beside), nullptr, false) : json();
    const std::map<std::string, json> chances = neuron_chances(companion);
    for (const auto & [value, categories] : counts) {
        std::vector<std::string> parts;
        for (const auto & [category, n] : categories) {
            parts.push_back(fmt::format("{} {}{}", n, category, chance_text(chances, value, category)));
        }
        result.facts.emplace_back(value, fmt::format("{}", fmt::join(parts, ", ")));
    }
    if (companion.is_object()) {
        result.facts.emplace_back("companion", beside.string());
        if (companion.contains("model_hash") && companion["model_hash"].is_string()) {
            result.provenance = Provenance{text_of(companion, "model_name"), text_of(companion, "model_hash"),
                                           text_of(companion, "location"), text_of(companion, "layer_convention"),
                                           text_of(companion, "tool_version")};
        }
    }
    return result;
}

FileInspection inspect_run(const fs::path & folder) {
    const RunStatus status = run_status(folder);
    FileInspection result;
    result.kind = FileKind::run;
    result.facts = {{"model", status.model},
                    {"judge", status.judge},
                    {"slices", fmt::format("{} of {} generated, {} judged", status.slices_generated,
                                           status.slices_planned, status.slices_judged)},
                    {"responses", fmt::format("{} intrinsic, {} prompted", status.intrinsic, status.prompted)},
                    {"labels", fmt::format("{} express, {} do not, {} undecided, {} without opinion", status.expressing,
                                           status.not_expressing, status.undecided, status.no_opinion)},
                    {"next", status.next}};
    return result;
}

} // namespace

const char * to_string(FileKind kind) {
    switch (kind) {
    case FileKind::activations:
        return "activations";
    case FileKind::slice_sums:
        return "sums of a slice";
    case FileKind::vectors:
        return "value vectors";
    case FileKind::axes:
        return "axes";
    case FileKind::directions:
        return "directions";
    case FileKind::probe:
        return "judge probe";
    case FileKind::tensors:
        return "tensors";
    case FileKind::neurons:
        return "neurons";
    case FileKind::json:
        return "results";
    case FileKind::evaluation:
        return "evaluation";
    case FileKind::lines:
        return "JSON lines";
    case FileKind::configuration:
        return "configuration";
    case FileKind::adapter:
        return "LoRA adapter";
    case FileKind::model:
        return "model";
    case FileKind::run:
        return "run";
    }
    return "";
}

FileInspection inspect_file(const fs::path & path) {
    if (!fs::exists(path)) {
        fail(ErrorKind::bad_input, "{}: cannot be read (there is no such file)", path.string());
    }
    if (fs::is_directory(path)) {
        return fs::exists(path / "adapter_model.safetensors") ? inspect_safetensors(path / "adapter_model.safetensors")
                                                              : inspect_run(path);
    }
    if (path.filename() == "run.sqlite") {
        return inspect_run(path.has_parent_path() ? path.parent_path() : fs::path("."));
    }
    std::string head(64, '\0');
    std::ifstream stream(path, std::ios::binary);
    stream.read(head.data(), static_cast<std::streamsize>(head.size()));
    if (stream.bad() || !stream.is_open()) {
        fail(ErrorKind::bad_input, "{}: cannot be read", path.string());
    }
    FileInspection result;
    if (head.starts_with("GGUF")) {
        result = inspect_gguf(path);
    } else if (path.extension() == ".safetensors") {
        result = inspect_safetensors(path);
    } else if (path.extension() == ".npz") {
        result = inspect_npz(path);
    } else if (head.starts_with("value,layer,expert,neuron")) {
        result = inspect_neurons(path);
    } else if (path.extension() == ".json") {
        result = inspect_json(path);
    } else if (path.extension() == ".jsonl") {
        result = inspect_json_lines(path);
    } else if (path.extension() == ".toml") {
        result = inspect_toml(path);
    } else {
        fail(
            ErrorKind::bad_input,
            "{}: is none of a run's folder, safetensors, npz, a GGUF model, control vector or LoRA, neurons.csv, JSON, "
            "JSON lines (.jsonl) or TOML",
            path.string());
    }
    result.bytes = fs::file_size(path);
    return result;
}

} // namespace valuelens
