#include "pipeline/neuron_spec.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <set>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/fail.h"
#include "base/file.h"
#include "store/provenance.h"
#include "valuelens/neurons.h"

namespace valuelens {

namespace {

std::vector<std::string_view> split_commas(std::string_view line) {
    std::vector<std::string_view> cells;
    for (;;) {
        const std::size_t comma = line.find(',');
        cells.push_back(line.substr(0, comma));
        if (comma == std::string_view::npos) {
            return cells;
        }
        line.remove_prefix(comma + 1);
    }
}

/// Places of the columns that matter in a CSV of neurons.
struct Columns {
    std::size_t count = 0;
    std::size_t layer = 0;
    std::size_t neuron = 0;
    std::optional<std::size_t> expert;
    std::optional<std::size_t> value;
    std::optional<std::size_t> category;
};

Columns read_header(const NeuronSpec & spec, std::string_view line) {
    const std::vector<std::string_view> names = split_commas(line);
    const auto place = [&](std::string_view name) -> std::optional<std::size_t> {
        const auto found = std::find(names.begin(), names.end(), name);
        return found == names.end() ? std::nullopt : std::optional(static_cast<std::size_t>(found - names.begin()));
    };
    const auto required = [&](std::string_view name) {
        const std::optional<std::size_t> found = place(name);
        if (!found) {
            fail(ErrorKind::bad_input,
                 "{}:1: column \"{}\" is missing; expected layer,neuron or the columns of neurons.csv",
                 spec.file.string(), name);
        }
        return *found;
    };
    Columns columns{names.size(),    required("layer"), required("neuron"),
                    place("expert"), place("value"),    place("category")};
    if (spec.value && (!columns.value || !columns.category)) {
        fail(ErrorKind::bad_input, "{}:1: has no columns \"value\" and \"category\" to choose by", spec.file.string());
    }
    if (!spec.value && columns.value) {
        spec.text.bad("the file tells values apart; say which neurons with value=V,category=C");
    }
    return columns;
}

std::set<NeuronId> select_neurons(const NeuronSpec & spec, const ModelInfo & model) {
    std::optional<Columns> columns;
    std::set<NeuronId> selected;
    for_each_line(spec.file, [&](std::string_view line, std::size_t number) {
        if (!columns) {
            columns = read_header(spec, line);
            return;
        }
        if (line.empty()) {
            return;
        }
        const std::string where = fmt::format("{}:{}", spec.file.string(), number);
        const std::vector<std::string_view> cells = split_commas(line);
        if (cells.size() != columns->count) {
            fail(ErrorKind::bad_input, "{}: has {} cells, expected {}", where, cells.size(), columns->count);
        }
        NeuronId neuron;
        neuron.layer = read_neuron_number(cells[columns->layer], where, "layer", model.n_layer);
        neuron.expert = columns->expert ? read_neuron_expert(cells[*columns->expert], where, model) : dense_mlp;
        // How many neurons an expert has is known to the model's graph alone, which checks it.
        neuron.neuron = read_neuron_number(cells[columns->neuron], where, "neuron",
                                           neuron.expert == dense_mlp ? model.n_ff : std::numeric_limits<int>::max());
        if (spec.value && (cells[*columns->value] != *spec.value || cells[*columns->category] != *spec.category)) {
            return;
        }
        if (spec.layers && !spec.layers->contains(neuron.layer)) {
            return;
        }
        if (!selected.insert(neuron).second) {
            fail(ErrorKind::bad_input, "{}: neuron {} of layer {} comes twice", where, neuron.neuron, neuron.layer);
        }
    });
    if (!columns) {
        fail(ErrorKind::bad_input, "{}: is empty, expected a CSV of neurons", spec.file.string());
    }
    if (selected.empty()) {
        fail(ErrorKind::bad_input, "{}: holds no neuron that fits {}", spec.file.string(), spec.text.whole);
    }
    return selected;
}

} // namespace

int read_neuron_number(std::string_view cell, const std::string & where, const char * column, int bound) {
    int number = 0;
    const auto [end, problem] = std::from_chars(cell.data(), cell.data() + cell.size(), number);
    if (problem != std::errc() || end != cell.data() + cell.size()) {
        fail(ErrorKind::bad_input, "{}: \"{}\" is \"{}\", expected a whole number", where, column, cell);
    }
    if (number < 0 || number >= bound) {
        fail(ErrorKind::bad_input, "{}: {} {} does not exist in the model, which has 0-{}", where, column, number,
             bound - 1);
    }
    return number;
}

int read_neuron_expert(std::string_view cell, const std::string & where, const ModelInfo & model) {
    if (cell.empty()) {
        return dense_mlp;
    }
    if (model.n_expert == 0) {
        fail(ErrorKind::bad_input, "{}: names expert \"{}\", and the model is no mixture of experts", where, cell);
    }
    return cell == "shared" ? shared_expert : read_neuron_number(cell, where, "expert", model.n_expert);
}

void require_table_of_model(const std::filesystem::path & table, const ModelInfo & model) {
    const std::filesystem::path beside = std::filesystem::path(table).replace_extension(".json");
    if (beside == table || !std::filesystem::exists(beside)) {
        return;
    }
    const auto json = nlohmann::json::parse(read_file(beside), nullptr, /* allow_exceptions = */ false);
    if (!json.is_object() || !json.contains("model_hash") || !json["model_hash"].is_string()) {
        return;
    }
    Provenance provenance;
    provenance.model_hash = json["model_hash"].get<std::string>();
    provenance.model_name = json.contains("model_name") && json["model_name"].is_string()
                                ? json["model_name"].get<std::string>()
                                : "without a name";
    require_same_model(provenance, model.identity, model.name, table);
}

NeuronSpec parse_neuron_spec(const std::string & text) {
    NeuronSpec spec;
    spec.text = parse_spec_text(text, "--scale-neurons", {"value", "category", "beta", "layers"});
    if (spec.text.head.empty()) {
        spec.text.bad("expected a CSV file of neurons first");
    }
    spec.file = spec.text.head;
    spec.value = spec.text.find("value");
    spec.category = spec.text.find("category");
    if (spec.value.has_value() != spec.category.has_value()) {
        spec.text.bad("value and category belong together; give both or none");
    }
    spec.beta = spec.text.number("beta").value_or(0.0f);
    spec.layers = layer_range(spec.text);
    return spec;
}

std::vector<NeuronScale> load_neuron_scales(std::span<const NeuronSpec> specs, const ModelInfo & model) {
    std::map<NeuronId, float> factors;
    for (const NeuronSpec & spec : specs) {
        if (spec.layers) {
            require_layers(spec.text, *spec.layers, model.n_layer);
        }
        require_table_of_model(spec.file, model);
        for (const NeuronId & neuron : select_neurons(spec, model)) {
            factors.try_emplace(neuron, 1.0f).first->second *= spec.beta;
        }
    }
    std::vector<NeuronScale> scales;
    for (const auto & [neuron, factor] : factors) {
        scales.push_back({neuron.layer, neuron.neuron, factor, neuron.expert});
    }
    return scales;
}

} // namespace valuelens
