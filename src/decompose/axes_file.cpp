#include <algorithm>
#include <limits>
#include <tuple>

#include <nlohmann/json.hpp>

#include "base/fail.h"
#include "decompose/axes_json.h"
#include "decompose/layer_range.h"
#include "store/provenance.h"
#include "store/safetensors.h"
#include "valuelens/decompose.h"

namespace valuelens {
namespace {

constexpr const char * shared_ending = "/shared";

std::string tensor_name(const ValueAxes & axes, const char * which) {
    return fmt::format("{}/{}", axes.value, which);
}

/// sigma_1, sigma_2 of each layer.
std::vector<float> singular_values(const ValueAxes & axes) {
    std::vector<float> values;
    for (const PairGeometry & layer : axes.layers) {
        values.push_back(static_cast<float>(layer.sigma_1));
        values.push_back(static_cast<float>(layer.sigma_2));
    }
    return values;
}

/// Finds n_layer and n_embd: those of the first `<value>/shared`.
void read_shape(const SafetensorsFile & file, AxisSet & set) {
    for (const std::string & name : file.names()) {
        const std::vector<std::size_t> & shape = file.find(name).shape;
        if (name.ends_with(shared_ending) && shape.size() == 2 && shape[0] > 0 && shape[1] > 0) {
            set.n_layer = shape[0];
            set.n_embd = shape[1];
            return;
        }
    }
    fail(ErrorKind::bad_input, "{}: expected a tensor named '<value>/shared' of shape [n_layer, n_embd], found {}",
         file.path().string(), fmt::join(file.names(), ", "));
}

std::vector<float> read_tensor(const SafetensorsFile & file, const std::string & name,
                               const std::vector<std::size_t> & expected) {
    const std::vector<std::size_t> & shape = file.find(name).shape;
    if (shape != expected) {
        fail(ErrorKind::bad_input, "{}: tensor '{}' has shape [{}], expected [{}]", file.path().string(), name,
             fmt::join(shape, ", "), fmt::join(expected, ", "));
    }
    return file.read_f32(name);
}

/// Entries for the tensors of a file that has no statistics.
void list_values(const SafetensorsFile & file, AxisSet & set) {
    for (const std::string & name : file.names()) {
        if (name.ends_with(shared_ending)) {
            set.values.push_back(name.substr(0, name.size() - std::string(shared_ending).size()));
            set.axes.emplace_back().value = set.values.back();
            set.axes.back().layers.resize(set.n_layer);
        }
    }
    set.compliance_layers.resize(set.n_layer);
}

void read_axes_of(const SafetensorsFile & file, AxisSet & set, ValueAxes & axes) {
    const std::vector<std::size_t> shape{set.n_layer, set.n_embd};
    const auto read = [&](const char * which) {
        return read_tensor(file, tensor_name(axes, which), shape);
    };
    const auto read_or_nan = [&](const char * which) {
        return file.contains(tensor_name(axes, which))
                   ? read(which)
                   : std::vector<float>(set.n_layer * set.n_embd, std::numeric_limits<float>::quiet_NaN());
    };
    axes.shared = read("shared");
    axes.intrinsic = read("intrinsic");
    if (file.contains(tensor_name(axes, "prompted"))) {
        axes.prompted = read("prompted");
    } else {
        std::transform(axes.intrinsic.begin(), axes.intrinsic.end(), std::back_inserter(axes.prompted),
                       std::negate<float>());
    }
    axes.intrinsic_orth = read_or_nan("intrinsic_orth");
    axes.prompted_orth = read_or_nan("prompted_orth");
}

/// The singular values of a file without statistics, where it has them.
void read_singular_values(const SafetensorsFile & file, AxisSet & set, ValueAxes & axes) {
    const std::string name = tensor_name(axes, "singular_values");
    if (!file.contains(name)) {
        return;
    }
    const std::vector<float> values = read_tensor(file, name, {set.n_layer, 2});
    for (std::size_t layer = 0; layer < set.n_layer; ++layer) {
        PairGeometry & geometry = axes.layers[layer];
        geometry.sigma_1 = values[2 * layer];
        geometry.sigma_2 = values[2 * layer + 1];
        geometry.sigma_ratio.value = geometry.sigma_2 / geometry.sigma_1;
    }
}

} // namespace

void write_axes(const std::filesystem::path & path, const AxisSet & set) {
    const std::vector<std::size_t> shape{set.n_layer, set.n_embd};
    std::vector<std::vector<float>> sigmas; // must outlive the spans
    for (const ValueAxes & axes : set.axes) {
        sigmas.push_back(singular_values(axes));
    }
    std::vector<FloatTensor> tensors;
    for (std::size_t i = 0; i < set.axes.size(); ++i) {
        const ValueAxes & axes = set.axes[i];
        if (axes.problem.empty()) {
            tensors.push_back({tensor_name(axes, "shared"), shape, axes.shared});
            tensors.push_back({tensor_name(axes, "intrinsic"), shape, axes.intrinsic});
            tensors.push_back({tensor_name(axes, "prompted"), shape, axes.prompted});
            tensors.push_back({tensor_name(axes, "intrinsic_orth"), shape, axes.intrinsic_orth});
            tensors.push_back({tensor_name(axes, "prompted_orth"), shape, axes.prompted_orth});
            tensors.push_back({tensor_name(axes, "singular_values"), {set.n_layer, 2}, sigmas[i]});
        }
    }
    tensors.push_back({"compliance", shape, set.compliance});
    if (!set.resid_norm.empty()) {
        tensors.push_back({"resid_norm", {set.n_layer}, set.resid_norm});
    }
    std::map<std::string, std::string> metadata = provenance_metadata(set.provenance);
    metadata["stats"] = axes_stats(set).dump();
    write_safetensors(path, tensors, metadata);
}

AxisSet read_axes(const std::filesystem::path & path) {
    const SafetensorsFile file(path);
    AxisSet set;
    set.provenance = provenance_from_metadata(file.metadata(), path);
    read_shape(file, set);
    const auto stats = file.metadata().find("stats");
    const bool has_stats = stats != file.metadata().end();
    std::tie(set.options.first_layer, set.options.last_layer) = layer_range(set.options, set.n_layer);
    if (has_stats) {
        const auto refuse = [&](const char * why) {
            fail(ErrorKind::bad_input,
                 "{}: metadata 'stats' is not what valuelens decompose writes ({}); decompose the vectors again",
                 path.string(), why);
        };
        try {
            read_axes_stats(nlohmann::json::parse(stats->second), set);
        } catch (const nlohmann::json::exception & error) {
            refuse(error.what());
        } catch (const Error & error) {
            refuse(error.what());
        }
    } else {
        list_values(file, set);
    }
    for (ValueAxes & axes : set.axes) {
        if (axes.problem.empty()) {
            read_axes_of(file, set, axes);
            if (!has_stats) {
                read_singular_values(file, set, axes);
            }
        }
    }
    set.compliance = file.contains("compliance")
                         ? read_tensor(file, "compliance", {set.n_layer, set.n_embd})
                         : std::vector<float>(set.n_layer * set.n_embd, std::numeric_limits<float>::quiet_NaN());
    if (file.contains("resid_norm")) {
        set.resid_norm = read_tensor(file, "resid_norm", {set.n_layer});
    }
    return set;
}

} // namespace valuelens
