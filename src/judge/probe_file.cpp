#include <nlohmann/json.hpp>

#include <algorithm>

#include "base/embedded.h"
#include "base/fail.h"
#include "judge/probe.h"
#include "store/safetensors.h"

namespace valuelens {
namespace {

using nlohmann::json;

constexpr std::string_view probe_folder = "probes/";
constexpr std::string_view probe_ending = ".safetensors";

const char * to_string(ProbeFeature::Pooling pooling) {
    return pooling == ProbeFeature::Pooling::text_mean ? "text_mean" : "suffix_last";
}

Probe read_probe(const SafetensorsFile & file) {
    const std::string path = file.path().string();
    const auto bad = [&](const std::string & what) {
        fail(ErrorKind::bad_input, "{}: is not a probe of `valuelens judge-train` ({})", path, what);
    };
    const auto entry = file.metadata().find("probe");
    if (entry == file.metadata().end()) {
        bad("no metadata entry 'probe'");
    }
    Probe probe;
    try {
        const json description = json::parse(entry->second);
        description.at("name").get_to(probe.name);
        description.at("model").get_to(probe.model);
        description.at("model_name").get_to(probe.model_name);
        description.at("n_layer").get_to(probe.n_layer);
        description.at("n_embd").get_to(probe.n_embd);
        description.at("suffix").get_to(probe.reading.suffix);
        description.at("skip_first_token").get_to(probe.reading.skip_first_token);
        description.at("values").get_to(probe.values);
        description.at("attribution").get_to(probe.attribution);
        probe.quality = description.value("quality", json::object()).dump();
        for (const json & feature : description.at("features")) {
            const std::string pooling = feature.at("pooling");
            if (pooling != "text_mean" && pooling != "suffix_last") {
                bad("unknown pooling '" + pooling + "'");
            }
            probe.reading.features.push_back(
                {pooling == "text_mean" ? ProbeFeature::Pooling::text_mean : ProbeFeature::Pooling::suffix_last,
                 feature.at("block").get<int>()});
        }
    } catch (const json::exception & error) {
        bad(error.what());
    }
    probe.mean = file.read_f32("mean");
    probe.scale = file.read_f32("scale");
    probe.weights = file.read_f32("weights");
    probe.bias = file.read_f32("bias");
    probe.base_rate = file.read_f32("base_rate");
    const std::size_t n_value = probe.values.size();
    if (probe.mean.size() != probe.n_feature() || probe.scale.size() != probe.n_feature() ||
        probe.weights.size() != n_value * probe.n_feature() || probe.bias.size() != n_value ||
        probe.base_rate.size() != n_value) {
        bad("its tensors do not fit its description");
    }
    return probe;
}

} // namespace

std::vector<std::string> shipped_probes() {
    std::vector<std::string> names;
    for (const EmbeddedFile & file : embedded_files()) {
        if (file.path.starts_with(probe_folder) && file.path.ends_with(probe_ending)) {
            names.emplace_back(
                file.path.substr(probe_folder.size(), file.path.size() - probe_folder.size() - probe_ending.size()));
        }
    }
    return names;
}

Probe load_probe(const std::string & name_or_path) {
    const std::vector<std::string> shipped = shipped_probes();
    if (std::find(shipped.begin(), shipped.end(), name_or_path) != shipped.end()) {
        const std::string path = std::string(probe_folder) + name_or_path + std::string(probe_ending);
        return read_probe(SafetensorsFile::from_memory(*find_embedded(path), "data/" + path));
    }
    if (!std::filesystem::exists(name_or_path)) {
        fail(ErrorKind::usage, "there is no probe '{}': give a file of `valuelens judge-train`, or one of {}",
             name_or_path, fmt::join(shipped, ", "));
    }
    return read_probe(SafetensorsFile(name_or_path));
}

void save_probe(const std::filesystem::path & path, const Probe & probe) {
    json features = json::array();
    for (const ProbeFeature & feature : probe.reading.features) {
        features.push_back({{"pooling", to_string(feature.pooling)}, {"block", feature.block}});
    }
    const json description = {{"name", probe.name},
                              {"model", probe.model},
                              {"model_name", probe.model_name},
                              {"n_layer", probe.n_layer},
                              {"n_embd", probe.n_embd},
                              {"features", features},
                              {"suffix", probe.reading.suffix},
                              {"skip_first_token", probe.reading.skip_first_token},
                              {"values", probe.values},
                              {"attribution", probe.attribution},
                              {"quality", probe.quality.empty() ? json::object() : json::parse(probe.quality)}};
    SafetensorsWriter writer(path);
    writer.set_metadata(
        {{"format", "valuelens probe"}, {"probe", description.dump()}, {"tool_version", VALUELENS_VERSION}});
    writer.declare("mean", DType::f32, {probe.mean.size()});
    writer.declare("scale", DType::f32, {probe.scale.size()});
    writer.declare("weights", DType::f16, {probe.values.size(), probe.n_feature()});
    writer.declare("bias", DType::f32, {probe.bias.size()});
    writer.declare("base_rate", DType::f32, {probe.base_rate.size()});
    writer.append("mean", std::span<const float>(probe.mean));
    writer.append("scale", std::span<const float>(probe.scale));
    writer.append("weights", std::span<const float>(probe.weights));
    writer.append("bias", std::span<const float>(probe.bias));
    writer.append("base_rate", std::span<const float>(probe.base_rate));
    writer.commit();
}

} // namespace valuelens
