#include <nlohmann/json.hpp>

#include "base/fail.h"
#include "base/file.h"
#include "neurons/categories.h"
#include "store/provenance.h"
#include "valuelens/neurons.h"

namespace valuelens {

namespace {

using json = nlohmann::ordered_json;

json null_json(const Null & null) {
    return {null.mean, null.low, null.high}; // NaN is written as null
}

std::string expert_cell(int expert) {
    return expert == -1 ? "" : expert == -2 ? "shared" : std::to_string(expert);
}

/// {category: ...} for each category.
template <typename Entry>
json by_category(Entry && entry) {
    json object = json::object();
    for (std::size_t i = 0; i < n_category; ++i) {
        object[to_string(static_cast<NeuronCategory>(i))] = entry(i);
    }
    return object;
}

} // namespace

void write_neurons_csv(const std::filesystem::path & path, const NeuronTable & table) {
    for (const std::string & value : table.values) {
        if (value.find_first_of(",\"\n\r") != std::string::npos) {
            fail(ErrorKind::bad_input,
                 "{}: the value id \"{}\" cannot stand in a CSV; name it without commas, quotes "
                 "and line breaks",
                 path.string(), value);
        }
    }
    std::string text = "value,layer,expert,neuron,norm,angle_shared,angle_intrinsic,angle_prompted,category\n";
    for (const ValueNeuron & neuron : table.neurons) {
        text += fmt::format("{},{},{},{},{:.9g},{:.4f},{:.4f},{:.4f},{}\n", table.values[neuron.value], neuron.id.layer,
                            expert_cell(neuron.id.expert), neuron.id.neuron, neuron.norm, neuron.angle_shared,
                            neuron.angle_intrinsic, neuron.angle_prompted, to_string(neuron.category));
    }
    write_file(path, text);
}

std::string neurons_json(const NeuronTable & table) {
    json object = json::object();
    for (const auto & [key, value] : provenance_metadata(table.provenance)) {
        object[key] = value;
    }
    const NeuronOptions & options = table.options;
    object["options"] = {{"top_percent", options.top_percent},
                         {"max_angle", options.max_angle},
                         {"scope", to_string(options.scope)},
                         {"anti_shared", options.anti_shared},
                         {"null_draws", options.null_draws},
                         {"confidence", options.confidence},
                         {"seed", options.seed}};
    object["notes"] = table.notes;
    object["n_neuron"] = table.n_neuron;
    object["values"] = json::array();
    for (std::size_t value = 0; value < table.values.size(); ++value) {
        const std::vector<CategoryCount> & counts = table.counts[value];
        const std::vector<std::vector<std::size_t>> & layers = table.layer_counts[value];
        object["values"].push_back({{"value", table.values[value]},
                                    {"counts", by_category([&](std::size_t i) { return counts[i].count; })},
                                    {"chance", by_category([&](std::size_t i) { return null_json(counts[i].null); })},
                                    {"layers", by_category([&](std::size_t i) {
                                         std::vector<std::size_t> list;
                                         for (const std::vector<std::size_t> & layer : layers) {
                                             list.push_back(layer[i]);
                                         }
                                         return list;
                                     })}});
    }
    object["overlaps"] = json::array();
    for (const NeuronOverlap & overlap : table.overlaps) {
        object["overlaps"].push_back({{"a", table.values[overlap.a]},
                                      {"b", table.values[overlap.b]},
                                      {"category", overlap.category ? to_string(*overlap.category) : "all"},
                                      {"common", overlap.common},
                                      {"size_a", overlap.size_a},
                                      {"size_b", overlap.size_b},
                                      {"jaccard", overlap.jaccard},
                                      {"jaccard_chance", null_json(overlap.jaccard_null)},
                                      {"expected", overlap.expected},
                                      {"p", overlap.p}});
    }
    return object.dump(1);
}

} // namespace valuelens
