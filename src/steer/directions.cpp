#include "steer/directions.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>

#include <nlohmann/json.hpp>

#include "base/fail.h"
#include "engine/adapter_file.h"
#include "steer/named_layers.h"
#include "steer/npz.h"
#include "store/provenance.h"
#include "store/safetensors.h"

namespace valuelens {

namespace {

namespace fs = std::filesystem;

constexpr const char * resid_norm_name = "resid_norm";
constexpr const char * npz_metadata_name = "metadata";
constexpr std::string_view gguf_prefix = "valuelens.";

std::string shape_text(const std::vector<std::size_t> & shape) {
    return fmt::format("[{}]", fmt::join(shape, ", "));
}

void take_provenance(Directions & directions, const std::map<std::string, std::string> & metadata) {
    if (metadata.count("model_hash") != 0) {
        directions.provenance = provenance_from_metadata(metadata, directions.file);
        directions.model_hint = directions.provenance->model_name;
    }
}

/// Rows for the blocks that the file names (`layers`), or for block 0, 1, ...
void assign_layers(Directions & directions, const std::optional<std::vector<std::int64_t>> & named) {
    const std::vector<std::size_t> & shape = directions.shape;
    if (shape.size() == 1 || (shape.size() == 2 && shape[0] == 1 && !named)) {
        return; // one vector for no block in particular
    }
    directions.all_layers = !named;
    for (std::size_t i = 0; i < shape[0]; ++i) {
        const std::int64_t layer = named ? (*named)[i] : static_cast<std::int64_t>(i);
        if (layer < 0 || layer > 1'000'000 || (!directions.layers.empty() && layer <= directions.layers.back())) {
            fail(ErrorKind::bad_input, "{}: \"{}\" must hold ascending numbers of blocks, entry {} is {}",
                 directions.file.string(), layers_name, i, layer);
        }
        directions.layers.push_back(static_cast<int>(layer));
    }
}

void assign_resid_norm(Directions & directions, std::span<const float> norms,
                       const std::optional<std::vector<std::int64_t>> & named) {
    for (std::size_t i = 0; i < norms.size(); ++i) {
        const std::int64_t layer = named && named->size() == norms.size() ? (*named)[i] : static_cast<std::int64_t>(i);
        directions.resid_norm[static_cast<int>(layer)] = norms[i];
    }
}

/// Fills what safetensors and npz have in common. `File`: contains() and read_f32().
template <typename File>
void read_tensor(Directions & directions, const File & file, std::vector<std::size_t> shape,
                 const std::optional<std::vector<std::int64_t>> & named) {
    directions.shape = std::move(shape);
    const std::vector<std::size_t> & got = directions.shape;
    const bool one = got.size() == 1;
    if ((!one && got.size() != 2) || got.back() == 0 || got.front() == 0) {
        fail(ErrorKind::bad_input, "{}: \"{}\" has shape {}, expected [n_layer, n_embd] or [n_embd]",
             directions.file.string(), directions.key, shape_text(got));
    }
    directions.n_embd = got.back();
    const auto fitting = named && !one && named->size() == got[0] ? named : std::nullopt;
    assign_layers(directions, fitting);
    directions.rows = file.read_f32(directions.key);
    if (file.contains(resid_norm_name) && directions.key != resid_norm_name) {
        assign_resid_norm(directions, file.read_f32(resid_norm_name), named);
    }
}

void read_from_safetensors(Directions & directions) {
    const SafetensorsFile file(directions.file);
    take_provenance(directions, file.metadata());
    read_tensor(directions, file, file.find(directions.key).shape, named_layers(file));
}

void read_from_npz(Directions & directions) {
    const NpzFile file(directions.file);
    if (file.contains(npz_metadata_name)) {
        const nlohmann::json json = nlohmann::json::parse(file.read_text(npz_metadata_name), nullptr, false);
        std::map<std::string, std::string> metadata;
        if (json.is_object()) {
            for (const auto & [name, value] : json.items()) {
                if (value.is_string()) {
                    metadata[name] = value.get<std::string>();
                }
            }
        }
        take_provenance(directions, metadata);
    }
    read_tensor(directions, file, file.find(directions.key).shape, named_layers(file));
}

/// EasySteer states what its directions were captured from; heads and routers are not the residual stream.
void refuse_other_component(const ControlVector & vector, const fs::path & path) {
    const auto native = vector.texts.find("controlvector.easysteer");
    if (native == vector.texts.end()) {
        return;
    }
    const auto json = nlohmann::json::parse(native->second, nullptr, false);
    if (json.is_object() && json.contains("component") && json["component"].is_string() &&
        json["component"] != "hidden_states") {
        fail(ErrorKind::bad_input,
             "{}: its directions are for '{}', only those for hidden_states act on the residual "
             "stream",
             path.string(), json["component"].get<std::string>());
    }
}

void read_from_gguf(Directions & directions) {
    if (!directions.key.empty() && directions.key != control_vector_key) {
        fail(ErrorKind::bad_input, "{}: a control vector has no tensor \"{}\"; its key is \"{}\"",
             directions.file.string(), directions.key, control_vector_key);
    }
    directions.key = control_vector_key;
    const ControlVector vector = read_control_vector(directions.file);
    refuse_other_component(vector, directions.file);
    std::map<std::string, std::string> metadata;
    for (const auto & [name, value] : vector.texts) {
        if (name.starts_with(gguf_prefix)) {
            metadata[name.substr(gguf_prefix.size())] = value;
        }
    }
    take_provenance(directions, metadata);
    directions.model_hint = vector.model_hint;
    directions.n_embd = vector.directions.begin()->second.size();
    directions.shape = {vector.directions.size(), directions.n_embd};
    for (const auto & [block, values] : vector.directions) {
        directions.layers.push_back(block);
        directions.rows.insert(directions.rows.end(), values.begin(), values.end());
    }
    if (!directions.provenance) {
        directions.notes.push_back(
            fmt::format("{}: direction.N is taken for the output of block N (repeng, EasySteer); "
                        "llama.cpp's cvector-generator writes it one block late, which "
                        "location=layer_input sets right",
                        directions.file.string()));
    }
}

void shift_to_outputs(Directions & directions) {
    if (directions.provenance) {
        fail(ErrorKind::bad_input,
             "{}: says itself that its rows act on the outputs of blocks ({}); leave out "
             "location=layer_input",
             directions.file.string(), directions.provenance->location);
    }
    if (directions.layers.empty()) {
        fail(ErrorKind::usage,
             "{}: \"{}\" is one vector for no block in particular; name the blocks at whose output it acts, without "
             "location=layer_input",
             directions.file.string(), directions.key);
    }
    if (directions.layers.front() == 0) {
        directions.notes.push_back(fmt::format("{}: row 0 of \"{}\" acts before the first block and is left out",
                                               directions.file.string(), directions.key));
        if (directions.layers.size() == 1) {
            fail(ErrorKind::bad_input, "{}: its only direction acts before the first block, where no output is",
                 directions.file.string());
        }
        directions.layers.erase(directions.layers.begin());
        directions.rows.erase(directions.rows.begin(),
                              directions.rows.begin() + static_cast<std::ptrdiff_t>(directions.n_embd));
    }
    for (int & layer : directions.layers) {
        --layer;
    }
    // What the norms of such a file are counted by is not known.
    directions.resid_norm.clear();
}

} // namespace

Directions read_directions(const fs::path & path, const std::string & key, RowLocation location) {
    Directions directions;
    directions.file = path;
    directions.key = key;
    std::array<char, 4> magic{};
    std::ifstream stream(path, std::ios::binary);
    if (!stream.read(magic.data(), magic.size())) {
        fail(ErrorKind::bad_input, "{}: cannot be read ({})", path.string(),
             !fs::exists(path) ? "there is no such file" : "it is no file of directions, or empty");
    }
    const std::string_view begin(magic.data(), magic.size());
    if (begin == "GGUF") {
        read_from_gguf(directions);
    } else if (key.empty()) {
        fail(ErrorKind::usage, "{}: say which tensor of the file, FILE:KEY", path.string());
    } else if (begin.starts_with("PK")) {
        read_from_npz(directions);
    } else {
        read_from_safetensors(directions);
    }
    if (!directions.provenance) {
        directions.notes.push_back(
            fmt::format("{}: does not say which model it was made with, so only its shape is checked", path.string()));
    }
    if (location == RowLocation::layer_input) {
        shift_to_outputs(directions);
    }
    return directions;
}

void leave_out_final_norm(Directions & directions, int n_layer) {
    // Only layer_input makes the rows of a file that names no blocks fewer than its shape says.
    const bool shifted = directions.all_layers && directions.layers.size() + 1 == directions.shape[0];
    if (!shifted || directions.shape[0] != static_cast<std::size_t>(n_layer) + 1) {
        return;
    }
    directions.layers.pop_back();
    directions.rows.resize(directions.layers.size() * directions.n_embd);
    directions.notes.push_back(
        fmt::format("{}: row {} of \"{}\" lies behind the model's final norm (hidden_states have one entry more than "
                    "the model has blocks) and is left out",
                    directions.file.string(), n_layer, directions.key));
}

std::span<const float> row_of_layer(const Directions & directions, int layer) {
    if (directions.layers.empty()) {
        return directions.row(0);
    }
    const auto found = std::lower_bound(directions.layers.begin(), directions.layers.end(), layer);
    if (found == directions.layers.end() || *found != layer) {
        fail(ErrorKind::usage, "{}: \"{}\" has no direction for layer {}; it has {} from {} to {}",
             directions.file.string(), directions.key, layer, directions.layers.size(), directions.layers.front(),
             directions.layers.back());
    }
    return directions.row(static_cast<std::size_t>(found - directions.layers.begin()));
}

float row_alpha(const Directions & directions, int layer, std::span<const float> row, const Strength & strength) {
    const auto bad = [&](const std::string & problem) {
        fail(ErrorKind::bad_input, "{}: \"{}\" {} at layer {}; choose other layers with {}", directions.file.string(),
             directions.key, problem, layer, strength.layers_option);
    };
    double squares = 0;
    for (const float x : row) {
        if (!std::isfinite(x)) {
            bad("is undefined (NaN)");
        }
        squares += static_cast<double>(x) * static_cast<double>(x);
    }
    if (squares == 0 && (strength.mode != SteerMode::add || strength.resid_unit)) {
        bad("is zero, so it has no direction");
    }
    if (!strength.resid_unit) {
        return strength.alpha;
    }
    if (directions.resid_norm.empty()) {
        fail(ErrorKind::bad_input, "{}: has no tensor \"{}\", which the unit resid needs; use {}",
             directions.file.string(), resid_norm_name, strength.raw_option);
    }
    const auto found = directions.resid_norm.find(layer);
    if (found == directions.resid_norm.end() || !std::isfinite(found->second) || found->second <= 0) {
        bad("has no mean residual norm (resid_norm)");
    }
    // alpha resid_norm v/|v|; clamp takes the unit vector by itself, so only the component it sets is scaled.
    const double resid = static_cast<double>(found->second);
    return static_cast<float>(static_cast<double>(strength.alpha) *
                              (strength.mode == SteerMode::add ? resid / std::sqrt(squares) : resid));
}

Directions fold_directions(const Directions & directions, int first, int last, const Strength & strength) {
    Directions folded = directions;
    folded.all_layers = false;
    folded.layers.clear();
    folded.rows.clear();
    folded.resid_norm.clear();
    const auto add = [&](int layer, std::span<const float> row) {
        const float alpha = row_alpha(directions, layer, row, strength);
        folded.layers.push_back(layer);
        std::transform(row.begin(), row.end(), std::back_inserter(folded.rows), [alpha](float x) { return alpha * x; });
        if (const auto norm = directions.resid_norm.find(layer); norm != directions.resid_norm.end()) {
            folded.resid_norm.insert(*norm);
        }
    };
    if (first < 0) {
        if (directions.layers.empty()) {
            fail(ErrorKind::usage, "{}: \"{}\" is one vector for no layer in particular; name the layers with {}",
                 directions.file.string(), directions.key, strength.layers_option);
        }
        for (std::size_t i = 0; i < directions.layers.size(); ++i) {
            add(directions.layers[i], directions.row(i));
        }
    } else {
        for (int layer = first; layer <= last; ++layer) {
            add(layer, row_of_layer(directions, layer));
        }
    }
    folded.shape = {folded.layers.size(), folded.n_embd};
    return folded;
}

} // namespace valuelens
