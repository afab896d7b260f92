#include "serve/sources.h"

#include <algorithm>
#include <fstream>
#include <numeric>

#include "base/fail.h"
#include "base/file.h"
#include "engine/adapter_file.h"
#include "pipeline/neuron_spec.h"
#include "serve/api_error.h"
#include "steer/directions.h"
#include "steer/named_layers.h"
#include "steer/npz.h"
#include "store/provenance.h"
#include "store/safetensors.h"

namespace valuelens {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t most_files = 1000;
constexpr int deepest_folder = 4;
constexpr const char * activations_folder = "activations"; // of a run: shards of responses, no directions

bool is_inside(const fs::path & path, const fs::path & root) {
    const auto [in_root, in_path] = std::mismatch(root.begin(), root.end(), path.begin(), path.end());
    return in_root == root.end();
}

bool is_source_name(const fs::path & path) {
    return path.extension() == ".safetensors" || path.extension() == ".npz" || path.extension() == ".gguf" ||
           path.extension() == ".csv";
}

std::vector<int> count_to(std::size_t n) {
    std::vector<int> layers(n);
    std::iota(layers.begin(), layers.end(), 0);
    return layers;
}

/// The layers of a tensor that can be a direction; nothing where its shape says that it is something else.
std::optional<std::vector<int>> layers_of(const std::vector<std::size_t> & shape, const ModelInfo & model,
                                          const std::optional<std::vector<std::int64_t>> & named) {
    if (shape.empty() || shape.size() > 2 || shape.back() != static_cast<std::size_t>(model.n_embd)) {
        return std::nullopt;
    }
    if (shape.size() == 1 || (shape[0] == 1 && !named)) {
        return std::vector<int>();
    }
    if (named && named->size() == shape[0]) {
        return std::vector<int>(named->begin(), named->end());
    }
    if (shape[0] == static_cast<std::size_t>(model.n_layer)) {
        return count_to(shape[0]);
    }
    return std::nullopt;
}

void look_into_safetensors(const fs::path & path, const ModelInfo & model, Source & source) {
    const SafetensorsFile file(path);
    if (file.metadata().count("model_hash") != 0) {
        require_same_model(provenance_from_metadata(file.metadata(), path), model.identity, model.name, path);
    }
    const std::optional<std::vector<std::int64_t>> named = named_layers(file);
    source.resid_unit = file.contains("resid_norm");
    for (const std::string & name : file.names()) {
        if (const auto layers = layers_of(file.find(name).shape, model, named)) {
            source.keys.push_back({name, *layers});
        }
    }
}

/// Files that are no safetensors say their model, if at all, where their reader finds it.
void require_direction_of_model(const fs::path & path, const std::string & key, const ModelInfo & model) {
    const Directions directions = read_directions(path, key, RowLocation::layer_output);
    if (directions.provenance) {
        require_same_model(*directions.provenance, model.identity, model.name, path);
    }
}

void look_into_npz(const fs::path & path, const ModelInfo & model, Source & source) {
    const NpzFile file(path);
    const std::optional<std::vector<std::int64_t>> named = named_layers(file);
    source.resid_unit = file.contains("resid_norm");
    for (const std::string & name : file.names()) {
        std::optional<std::vector<int>> layers;
        try {
            layers = layers_of(file.find(name).shape, model, named);
        } catch (const Error &) {
            continue; // an array that cannot be a direction leaves the others as they are
        }
        if (layers) {
            source.keys.push_back({name, *layers});
        }
    }
    if (!source.keys.empty()) {
        require_direction_of_model(path, source.keys.front().key, model);
    }
}

void look_into_control_vector(const fs::path & path, const ModelInfo & model, Source & source) {
    const ControlVector vector = read_control_vector(path);
    if (vector.directions.begin()->second.size() != static_cast<std::size_t>(model.n_embd)) {
        fail(ErrorKind::bad_input, "its directions are {} wide, the model's stream is {}",
             vector.directions.begin()->second.size(), model.n_embd);
    }
    require_direction_of_model(path, "", model);
    SourceKey key;
    for (const auto & [block, direction] : vector.directions) {
        key.layers.push_back(block);
    }
    source.keys.push_back(std::move(key));
}

std::vector<std::string> cells_of(std::string_view line) {
    std::vector<std::string> cells(1);
    for (const char c : line) {
        if (c == ',') {
            cells.emplace_back();
        } else {
            cells.back() += c;
        }
    }
    return cells;
}

void look_into_neurons(const fs::path & path, const ModelInfo & model, Source & source) {
    require_table_of_model(path, model);
    source.kind = Source::Kind::neurons;
    std::vector<std::string> header;
    std::map<std::pair<std::string, std::string>, std::size_t> counts;
    const auto place = [&](const char * name) {
        return static_cast<std::size_t>(std::find(header.begin(), header.end(), name) - header.begin());
    };
    for_each_line(path, [&](std::string_view line, std::size_t number) {
        if (number == 1) {
            header = cells_of(line);
            if (place("layer") == header.size() || place("neuron") == header.size()) {
                fail(ErrorKind::bad_input, "has no columns layer and neuron");
            }
            return;
        }
        if (line.empty()) {
            return;
        }
        const std::vector<std::string> cells = cells_of(line);
        const auto cell = [&](const char * name) {
            return place(name) < cells.size() ? cells[place(name)] : std::string();
        };
        ++counts[{cell("value"), cell("category")}];
    });
    for (const auto & [group, count] : counts) {
        source.groups.push_back({group.first, group.second, count});
    }
}

/// A model's file is no source, however it got there.
bool is_control_vector(const fs::path & path) {
    std::string header(4096, '\0');
    std::ifstream(path, std::ios::binary).read(header.data(), static_cast<std::streamsize>(header.size()));
    return header.find("controlvector") != std::string::npos;
}

} // namespace

Sources::Sources(const fs::path & root, ModelInfo model) : model_(std::move(model)) {
    if (root.empty()) {
        return;
    }
    std::error_code problem;
    root_ = fs::canonical(root, problem);
    if (problem || !fs::is_directory(root_)) {
        fail(ErrorKind::bad_input, "{}: is no folder to take directions and neurons from", root.string());
    }
    files_ = scan();
    scanned_ = std::chrono::steady_clock::now();
}

Sources::Files Sources::scan() const {
    Files files;
    if (root_.empty()) {
        return files;
    }
    std::error_code problem;
    fs::recursive_directory_iterator at(root_, fs::directory_options::skip_permission_denied, problem);
    more_ = false;
    for (; !problem && at != fs::recursive_directory_iterator(); at.increment(problem)) {
        if (files.size() == most_files) {
            more_ = true;
            break;
        }
        if (at.depth() >= deepest_folder || at->path().filename() == activations_folder) {
            at.disable_recursion_pending();
        }
        std::error_code broken;
        const fs::path target = fs::canonical(at->path(), broken);
        if (!broken && is_source_name(at->path()) && fs::is_regular_file(target, broken) && is_inside(target, root_)) {
            files.emplace(at->path().lexically_relative(root_).generic_string(), target);
        }
    }
    return files;
}

bool Sources::has_more() const {
    const std::lock_guard lock(mutex_);
    return more_;
}

std::vector<Source> Sources::list() const {
    Files files;
    {
        const std::lock_guard lock(mutex_);
        files = scan();
        files_ = files;
        scanned_ = std::chrono::steady_clock::now();
    }
    std::vector<Source> sources;
    for (const auto & [name, path] : files) {
        Source source;
        source.name = name;
        try {
            if (path.extension() == ".safetensors") {
                look_into_safetensors(path, model_, source);
            } else if (path.extension() == ".npz") {
                look_into_npz(path, model_, source);
            } else if (path.extension() == ".csv") {
                look_into_neurons(path, model_, source);
            } else if (is_control_vector(path)) {
                look_into_control_vector(path, model_, source);
            } else {
                continue;
            }
        } catch (const Error & error) {
            source.problem = without_root(error.what());
        }
        if (!source.keys.empty() || !source.groups.empty() || !source.problem.empty()) {
            sources.push_back(std::move(source));
        }
    }
    return sources;
}

fs::path Sources::find(const std::string & name, const std::string & param) const {
    using namespace std::chrono_literals;
    if (root_.empty()) {
        refuse(param, "this server was started without --sources, so it has no directions or neurons to steer with");
    }
    const std::lock_guard lock(mutex_);
    auto found = files_.find(name);
    if (found == files_.end() && std::chrono::steady_clock::now() - scanned_ > 1s) {
        files_ = scan();
        scanned_ = std::chrono::steady_clock::now();
        found = files_.find(name);
    }
    if (found == files_.end()) {
        refuse(param, "there is no source \"{}\"; GET /v1/steering lists them, named by their path inside the folder",
               name.substr(0, 200));
    }
    // A file that was there may have become a link to elsewhere.
    std::error_code problem;
    const fs::path target = fs::canonical(found->second, problem);
    if (problem || !is_inside(target, root_)) {
        refuse(param, "the source \"{}\" is not there any more", name);
    }
    return target;
}

std::string Sources::without_root(std::string text) const {
    const std::string prefix = root_.empty() ? std::string() : root_.string() + "/";
    for (std::size_t at = 0; !prefix.empty() && (at = text.find(prefix, at)) != std::string::npos;) {
        text.erase(at, prefix.size());
    }
    return text;
}

} // namespace valuelens
