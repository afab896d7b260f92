#include "serve/steering_request.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <limits>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "pipeline/neuron_spec.h"
#include "pipeline/steer_spec.h"
#include "serve/api_error.h"
#include "serve/fields.h"

namespace valuelens {

namespace {

using nlohmann::json;

constexpr std::size_t most_entries = 64;
constexpr std::size_t most_indices = 4096;
constexpr std::size_t remembered = 64;
constexpr std::size_t remembered_bytes = 256 << 20;
constexpr int any_layer = 1'000'000; // what is beyond the model is said afterwards
constexpr double largest_scale = 1e6;

std::size_t bytes_of(const Intervention & intervention) {
    std::size_t bytes = intervention.neurons.size() * sizeof(NeuronScale);
    for (const LayerDirection & direction : intervention.directions) {
        bytes += sizeof(direction) + direction.vector.size() * sizeof(float);
    }
    return bytes;
}

bool is_index(const json & value, int end) {
    return value.is_number_unsigned()
               ? value.get<std::uint64_t>() < static_cast<std::uint64_t>(end)
               : value.is_number_integer() && value.get<std::int64_t>() >= 0 && value.get<std::int64_t>() < end;
}

/// Layers as 12, "8-14", "3,8-14" (as GET /v1/steering writes them) or [8, 9, 14].
struct LayerChoice {
    LayerRange range;
    std::set<int> only; ///< empty: all of the range
    bool contains(int layer) const { return range.contains(layer) && (only.empty() || only.count(layer) != 0); }
};

std::optional<LayerChoice> read_layers(Fields & fields, int n_layer) {
    const json * value = fields.find("layers");
    if (value == nullptr) {
        return std::nullopt;
    }
    const std::string path = fields.path("layers");
    LayerChoice choice;
    if (value->is_string()) {
        std::stringstream parts(value->get<std::string>());
        std::vector<LayerRange> ranges;
        for (std::string part; std::getline(parts, part, ',');) {
            const std::optional<LayerRange> range = parse_layer_range(part);
            if (!range || range->last >= any_layer) {
                refuse(path,
                       "{} must be \"A-B\", or several such with commas, with block numbers from 0, A not above B",
                       path);
            }
            ranges.push_back(*range);
        }
        if (ranges.empty()) {
            refuse(path, "{} is empty; leave it out for all blocks", path);
        }
        choice.range = ranges.front();
        for (const LayerRange & range : ranges) {
            choice.range = {std::min(choice.range.first, range.first), std::max(choice.range.last, range.last)};
            for (int layer = range.first; ranges.size() > 1 && layer <= range.last; ++layer) {
                choice.only.insert(layer);
            }
        }
    } else if (is_index(*value, any_layer)) {
        choice.range = {value->get<int>(), value->get<int>()};
    } else if (value->is_array() && !value->empty() && value->size() <= 1000 &&
               std::all_of(value->begin(), value->end(),
                           [](const json & layer) { return is_index(layer, any_layer); })) {
        for (const json & layer : *value) {
            choice.only.insert(layer.get<int>());
        }
        choice.range = {*choice.only.begin(), *choice.only.rbegin()};
    } else {
        refuse(path, "{} must be a block number, \"A-B\", or a list of block numbers", path);
    }
    if (choice.range.last >= n_layer) {
        refuse(path, "{} reaches beyond the model, whose blocks are 0-{}", path, n_layer - 1);
    }
    return choice;
}

/// A specification as the command line's, so that both mean the same; its errors begin with the field.
SpecText spec_text(const std::string & where, const std::string & source, const std::string & key) {
    SpecText text;
    text.option = where;
    text.whole = key.empty() ? source : source + ":" + key;
    return text;
}

std::vector<LayerDirection> read_vector(const json & value, const std::string & where, const Sources & sources,
                                        const ModelInfo & model) {
    Fields fields(value, where);
    const std::optional<std::string> source = fields.text("source");
    if (!source) {
        refuse(fields.path("source"), "{} is missing: the file to take a direction from", fields.path("source"));
    }
    SteerSpec spec;
    spec.key = fields.text("key").value_or("");
    spec.file = sources.find(*source, fields.path("source"));
    spec.text = spec_text(where, *source, spec.key);
    const std::optional<double> scale = fields.number("scale", -largest_scale, largest_scale);
    spec.alpha = static_cast<float>(scale.value_or(1.0));
    const std::string mode = fields.word("mode", {"add", "ablate", "clamp"}).value_or("add");
    spec.mode = mode == "add" ? SteerMode::add : mode == "ablate" ? SteerMode::ablate : SteerMode::clamp;
    const std::string tokens = fields.word("tokens", {"all", "response", "prompt"}).value_or("all");
    spec.tokens = tokens == "all" ? TokenScope::all : tokens == "response" ? TokenScope::response : TokenScope::prompt;
    spec.resid_unit = fields.word("unit", {"raw", "resid"}).value_or("raw") == "resid";
    spec.location = fields.word("location", {"layer_output", "layer_input"}).value_or("layer_output") == "layer_input"
                        ? RowLocation::layer_input
                        : RowLocation::layer_output;
    const std::optional<LayerChoice> layers = read_layers(fields, model.n_layer);
    fields.done();
    if (spec.mode == SteerMode::ablate && (scale || spec.resid_unit)) {
        refuse(where, "{}: mode ablate takes the whole component out and has no scale or unit", where);
    }
    if (layers) {
        spec.layers = layers->range;
    }
    std::vector<LayerDirection> directions = load_directions(spec, model);
    std::erase_if(directions,
                  [&](const LayerDirection & direction) { return layers && !layers->contains(direction.layer); });
    return directions;
}

std::vector<NeuronScale> read_indices(Fields & fields, const ModelInfo & model) {
    const std::optional<std::int64_t> layer = fields.integer("layer", 0, model.n_layer - 1);
    const json * indices = fields.find("indices");
    const double scale = fields.number("scale", -largest_scale, largest_scale).value_or(0.0);
    fields.done();
    const std::string path = fields.path("indices");
    if (!layer || indices == nullptr || !indices->is_array() || indices->empty() || indices->size() > most_indices) {
        refuse(path, "{} must be a list of 1 to {} neurons of the block named by \"layer\"", path, most_indices);
    }
    if (model.n_expert > 0) {
        refuse(path, "{}: the model is a mixture of experts; name its neurons by a source", path);
    }
    std::vector<NeuronScale> neurons;
    for (const json & index : *indices) {
        if (!is_index(index, model.n_ff)) {
            refuse(path, "{} must hold numbers from 0 to {}", path, model.n_ff - 1);
        }
        NeuronScale neuron;
        neuron.layer = static_cast<int>(*layer);
        neuron.neuron = index.get<int>();
        neuron.beta = static_cast<float>(scale);
        neurons.push_back(neuron);
    }
    return neurons;
}

std::vector<NeuronScale> read_neurons(const json & value, const std::string & where, const Sources & sources,
                                      const ModelInfo & model) {
    Fields fields(value, where);
    if (fields.find("source") == nullptr) {
        return read_indices(fields, model);
    }
    const std::string source = *fields.text("source");
    NeuronSpec spec;
    spec.file = sources.find(source, fields.path("source"));
    spec.value = fields.text("value");
    spec.category = fields.text("category");
    spec.beta = static_cast<float>(fields.number("scale", -largest_scale, largest_scale).value_or(0.0));
    const std::optional<LayerChoice> layers = read_layers(fields, model.n_layer);
    fields.done();
    if (spec.value.has_value() != spec.category.has_value()) {
        refuse(where, "{}: value and category belong together; give both or none", where);
    }
    spec.text = spec_text(where, source, spec.value ? *spec.value + "/" + *spec.category : "");
    if (layers) {
        spec.layers = layers->range;
    }
    std::vector<NeuronScale> neurons = load_neuron_scales(std::span(&spec, 1), model);
    std::erase_if(neurons, [&](const NeuronScale & neuron) { return layers && !layers->contains(neuron.layer); });
    return neurons;
}

} // namespace

std::shared_ptr<const Intervention> SteeringDesk::read(const json * steering) {
    if (steering == nullptr) {
        return nullptr;
    }
    Fields fields(*steering, "steering");
    const json * vectors = fields.find("vectors");
    const json * neurons = fields.find("neurons");
    fields.done();
    for (const auto & [name, list] : {std::pair("vectors", vectors), std::pair("neurons", neurons)}) {
        if (list != nullptr && (!list->is_array() || list->size() > most_entries)) {
            refuse(fields.path(name), "{} must be a list of at most {} entries", fields.path(name), most_entries);
        }
    }
    const std::size_t n = (vectors == nullptr ? 0 : vectors->size()) + (neurons == nullptr ? 0 : neurons->size());
    if (n == 0) {
        return nullptr;
    }
    const std::string key = file_stamps(*steering);
    if (!key.empty()) {
        if (auto known = look_up(key)) {
            return known;
        }
    }
    auto intervention = std::make_shared<Intervention>();
    try {
        for (std::size_t i = 0; vectors != nullptr && i < vectors->size(); ++i) {
            const std::string where = fmt::format("steering.vectors[{}]", i);
            for (LayerDirection & direction : read_vector((*vectors)[i], where, sources_, model_)) {
                intervention->directions.push_back(std::move(direction));
            }
        }
        for (std::size_t i = 0; neurons != nullptr && i < neurons->size(); ++i) {
            const std::string where = fmt::format("steering.neurons[{}]", i);
            for (const NeuronScale & neuron : read_neurons((*neurons)[i], where, sources_, model_)) {
                intervention->neurons.push_back(neuron);
            }
        }
    } catch (const Error & error) {
        throw ApiError(400, sources_.without_root(error.what()), "steering");
    }
    if (!key.empty()) {
        remember({key, nullptr, intervention});
    }
    return intervention;
}

std::shared_ptr<const Intervention> SteeringDesk::with(const std::shared_ptr<const Intervention> & base,
                                                       const Intervention & last) {
    const std::string key = fmt::format("with {}", static_cast<const void *>(base.get()));
    if (auto known = look_up(key)) {
        return known;
    }
    auto joined = base == nullptr ? std::make_shared<Intervention>() : std::make_shared<Intervention>(*base);
    joined->directions.insert(joined->directions.end(), last.directions.begin(), last.directions.end());
    joined->neurons.insert(joined->neurons.end(), last.neurons.begin(), last.neurons.end());
    remember({key, base, joined});
    return joined;
}

std::shared_ptr<const Intervention> SteeringDesk::look_up(const std::string & key) {
    const std::lock_guard lock(mutex_);
    const auto found =
        std::find_if(recent_.begin(), recent_.end(), [&](const Entry & entry) { return entry.key == key; });
    if (found == recent_.end()) {
        return nullptr;
    }
    recent_.splice(recent_.begin(), recent_, found);
    return found->intervention;
}

void SteeringDesk::remember(Entry entry) {
    const std::lock_guard lock(mutex_);
    recent_.push_front(std::move(entry));
    std::size_t n = 0;
    std::size_t bytes = 0;
    for (auto at = recent_.begin(); at != recent_.end();) {
        bytes += bytes_of(*at->intervention);
        at = ++n > remembered || (n > 1 && bytes > remembered_bytes) ? recent_.erase(at) : std::next(at);
    }
}

/// What the outcome depends on: the request, and which files it names. Empty: not to be remembered.
std::string SteeringDesk::file_stamps(const json & steering) const {
    constexpr std::size_t longest = 64 * 1024;
    std::string key;
    for (const char * list : {"vectors", "neurons"}) {
        if (!steering.contains(list) || !steering[list].is_array()) {
            continue;
        }
        for (const json & entry : steering[list]) {
            if (!entry.is_object()) {
                return {};
            }
            for (const auto & [name, value] : entry.items()) {
                const bool flat = !value.is_structured() ||
                                  (value.is_array() && std::none_of(value.begin(), value.end(), [](const json & item) {
                                       return item.is_structured();
                                   }));
                if (!flat) {
                    return {};
                }
            }
            key += list + entry.dump(-1, ' ', false, json::error_handler_t::replace);
            if (entry.contains("source") && entry["source"].is_string()) {
                std::error_code problem;
                const std::filesystem::path path = sources_.find(entry["source"].get<std::string>(), "steering");
                key += fmt::format("@{}:{}", std::filesystem::last_write_time(path, problem).time_since_epoch().count(),
                                   std::filesystem::file_size(path, problem));
            }
            if (key.size() > longest) {
                return {};
            }
        }
    }
    return key;
}

} // namespace valuelens
