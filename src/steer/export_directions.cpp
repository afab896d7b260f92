#include "steer/export_directions.h"

#include <cstdint>
#include <set>

#include <nlohmann/json.hpp>

#include "base/fail.h"
#include "engine/adapter_file.h"
#include "steer/npz.h"
#include "store/provenance.h"
#include "store/safetensors.h"

namespace valuelens {

namespace {

std::map<std::string, std::string> metadata_of(const Directions & directions,
                                               const std::map<std::string, std::string> & how) {
    std::map<std::string, std::string> metadata = how;
    if (directions.provenance) {
        Provenance provenance = *directions.provenance;
        provenance.tool_version = VALUELENS_VERSION;
        metadata.merge(provenance_metadata(provenance));
    }
    return metadata;
}

std::string tensor_name(const Directions & directions) {
    static const std::set<std::string> taken = {"layers", "resid_norm", "metadata"};
    return taken.count(directions.key) == 0 ? directions.key : std::string(control_vector_key);
}

std::vector<std::int64_t> layer_numbers(const Directions & directions) {
    return {directions.layers.begin(), directions.layers.end()};
}

/// In the order of the rows; empty where one is not known.
std::vector<float> norms_of(const Directions & directions) {
    std::vector<float> norms;
    for (const int layer : directions.layers) {
        if (const auto found = directions.resid_norm.find(layer); found != directions.resid_norm.end()) {
            norms.push_back(found->second);
        }
    }
    return norms.size() == directions.layers.size() ? norms : std::vector<float>();
}

} // namespace

std::vector<std::string> write_directions_gguf(const std::filesystem::path & path, const Directions & directions,
                                               const std::map<std::string, std::string> & how) {
    ControlVector vector;
    vector.model_hint = directions.model_hint;
    for (const auto & [key, value] : metadata_of(directions, how)) {
        vector.texts["valuelens." + key] = value;
    }
    std::vector<std::string> notes;
    for (std::size_t i = 0; i < directions.layers.size(); ++i) {
        const std::span<const float> row = directions.row(i);
        if (directions.layers[i] == 0) {
            notes.push_back("block 0 has no place in a control vector: its direction is left out");
        } else {
            vector.directions[directions.layers[i]].assign(row.begin(), row.end());
        }
    }
    if (vector.directions.empty()) {
        fail(
            ErrorKind::usage,
            "{}: a control vector has no place for block 0, and no other block is asked for; export safetensors or npz",
            path.string());
    }
    write_control_vector(path, vector);
    return notes;
}

void write_directions_safetensors(const std::filesystem::path & path, const Directions & directions,
                                  const std::map<std::string, std::string> & how) {
    const std::vector<std::int64_t> layers = layer_numbers(directions);
    const std::vector<float> norms = norms_of(directions);
    const std::string name = tensor_name(directions);
    SafetensorsWriter writer(path);
    writer.set_metadata(metadata_of(directions, how));
    writer.declare(name, DType::f32, {layers.size(), directions.n_embd});
    writer.declare("layers", DType::i64, {layers.size()});
    if (!norms.empty()) {
        writer.declare("resid_norm", DType::f32, {norms.size()});
    }
    writer.append(name, std::span<const float>(directions.rows));
    writer.append("layers", layers.data(), layers.size() * sizeof(std::int64_t));
    if (!norms.empty()) {
        writer.append("resid_norm", std::span<const float>(norms));
    }
    writer.commit();
}

void write_directions_npz(const std::filesystem::path & path, const Directions & directions,
                          const std::map<std::string, std::string> & how) {
    const std::vector<std::int64_t> layers = layer_numbers(directions);
    const std::vector<float> norms = norms_of(directions);
    std::map<std::string, NpyArray> arrays;
    arrays[tensor_name(directions)] =
        npy_array({layers.size(), directions.n_embd}, std::span<const float>(directions.rows));
    arrays["layers"] = npy_array({layers.size()}, std::span<const std::int64_t>(layers));
    if (!norms.empty()) {
        arrays["resid_norm"] = npy_array({norms.size()}, std::span<const float>(norms));
    }
    arrays["metadata"] =
        npy_text(nlohmann::json(metadata_of(directions, how)).dump(-1, ' ', /* ensure_ascii = */ true));
    write_npz(path, arrays);
}

} // namespace valuelens
