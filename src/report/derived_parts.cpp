#include <map>

#include <fmt/ranges.h>

#include "base/fail.h"
#include "base/file.h"
#include "concepts/csv_table.h"
#include "decompose/axes_json.h"
#include "report/lookup.h"
#include "report/parts.h"
#include "report/shape.h"
#include "valuelens/decompose.h"
#include "valuelens/vectors.h"

namespace valuelens {

namespace fs = std::filesystem;

namespace {

Json column(const std::vector<Estimate> & estimates) {
    Json list = Json::array();
    for (const Estimate & estimate : estimates) {
        list.push_back(rounded(estimate));
    }
    return list;
}

Json column(const std::vector<double> & numbers) {
    Json list = Json::array();
    for (const double number : numbers) {
        list.push_back(rounded(number));
    }
    return list;
}

Json read_json(const fs::path & file) {
    const std::string text = read_file(file);
    Json json = Json::parse(text, nullptr, false);
    if (!json.is_object()) {
        fail(ErrorKind::bad_input, "{}: is no JSON object; was it written by valuelens?", file.string());
    }
    return json;
}

double parse_number(const std::string & text, const std::string & where) {
    char * end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0') {
        fail(ErrorKind::bad_input, "{}: \"{}\" is no number", where, text);
    }
    return value;
}

/// neurons.csv as columns; it is ordered by value, then descending norm.
Json neuron_columns(const fs::path & file, std::size_t most) {
    std::map<std::string, std::size_t> kept;
    Json value = Json::array(), layer = Json::array(), expert = Json::array(), neuron = Json::array(),
         norm = Json::array(), shared = Json::array(), intrinsic = Json::array(), category = Json::array();
    bool mixture = false;
    std::map<std::string, std::size_t> at;
    for_each_csv_record(
        read_file(file), file.string(),
        [&](const CsvHeader & header) {
            for (const char * name :
                 {"value", "layer", "expert", "neuron", "norm", "angle_shared", "angle_intrinsic", "category"}) {
                at[name] = header.need({name});
            }
        },
        [&](const std::vector<std::string> & cells, const std::string & where) {
            if (++kept[cells[at["value"]]] > most) {
                return;
            }
            value.push_back(cells[at["value"]]);
            layer.push_back(static_cast<int>(parse_number(cells[at["layer"]], where)));
            expert.push_back(cells[at["expert"]]);
            mixture = mixture || !cells[at["expert"]].empty();
            neuron.push_back(static_cast<int>(parse_number(cells[at["neuron"]], where)));
            norm.push_back(rounded(parse_number(cells[at["norm"]], where)));
            shared.push_back(rounded(std::round(parse_number(cells[at["angle_shared"]], where) * 10) / 10));
            intrinsic.push_back(rounded(std::round(parse_number(cells[at["angle_intrinsic"]], where) * 10) / 10));
            category.push_back(cells[at["category"]]);
        });
    Json all = Json::object();
    for (const auto & [name, n] : kept) {
        all[name] = n;
    }
    Json columns = {{"value", std::move(value)},         {"layer", std::move(layer)},
                    {"neuron", std::move(neuron)},       {"norm", std::move(norm)},
                    {"angle_shared", std::move(shared)}, {"angle_intrinsic", std::move(intrinsic)},
                    {"category", std::move(category)}};
    if (mixture) {
        columns["expert"] = std::move(expert);
    }
    return {{"kept", std::move(all)}, {"most", most}, {"columns", std::move(columns)}};
}

void check_geometry(const Shape & shape, const Json & geometry) {
    shape.number(geometry, "n_layer");
    shape.array(geometry, "values");
    shape.texts(geometry, "values");
    const auto n_layer = geometry.at("n_layer").get<std::size_t>();
    const std::size_t n = geometry.at("values").size();
    const Json & by_condition = shape.object(geometry, "value_cosine");
    for (const char * condition : {"intrinsic", "prompted"}) {
        shape.numbers(shape.array(by_condition, condition), fmt::format("value_cosine.{}", condition), {n_layer, n, n});
    }
    shape.numbers(shape.array(geometry, "cross_cosine"), "cross_cosine", {n_layer, n, n});
    for (const Json & value : shape.object(geometry, "layer_cosine")) {
        for (const char * condition : {"intrinsic", "prompted"}) {
            if (value.is_object() && value.contains(condition) && !value.at(condition).is_null()) {
                shape.numbers(value.at(condition), "layer_cosine", {n_layer, n_layer});
            }
        }
    }
}

void check_neurons(const Shape & shape, const Json & part) {
    shape.object(part, "options");
    shape.texts(part, "notes");
    const std::size_t n_layer = shape.array(part, "n_neuron").size();
    shape.numbers(part.at("n_neuron"), "n_neuron", {n_layer});
    for (const Json & value : shape.array(part, "values")) {
        shape.text(value, "value");
        for (const auto & [category, count] : shape.object(value, "counts").items()) {
            shape.need(count.is_number_unsigned(), fmt::format("number of {} neurons", category));
        }
        shape.need(value.contains("chance"), "\"chance\" in a value");
        if (const Json & chance = value.at("chance"); !chance.is_null()) {
            for (const auto & [category, unused] : shape.object(value, "chance").items()) {
                shape.estimate(chance, category.c_str(), /* optional = */ true);
            }
        }
        for (const auto & [category, column] : shape.object(value, "layers").items()) {
            shape.numbers(column, "layers." + category, {n_layer});
        }
    }
    for (const Json & overlap : part.contains("overlaps") ? shape.array(part, "overlaps") : Json::array()) {
        shape.text(overlap, "a");
        shape.text(overlap, "b");
    }
}

/// neurons.csv may be cut off at the end of a line, where nothing else tells.
void compare_lengths(const fs::path & table, const Json & part, Json & problems) {
    std::vector<std::string> wrong;
    const Json & kept = part.at("table").at("kept");
    for (const Json & value : part.at("values")) {
        std::size_t counted = 0;
        for (const Json & count : value.at("counts")) {
            counted += count.get<std::size_t>();
        }
        const std::string id = value.at("value");
        if (const std::size_t lines = kept.value(id, std::size_t{0}); lines != counted) {
            wrong.push_back(fmt::format("{} ({} of {})", id, lines, counted));
        }
    }
    if (!wrong.empty()) {
        problems.push_back(fmt::format("{}: has other numbers of neurons than neurons.json counts, for {}; was its "
                                       "writing broken off?",
                                       table.string(), fmt::join(wrong, ", ")));
    }
}

} // namespace

Json vectors_part(const fs::path & folder) {
    const fs::path file = folder / "vectors.safetensors";
    if (!fs::exists(file)) {
        return nullptr;
    }
    const ValueVectorSet set = read_value_vectors(file);
    Json vectors = Json::array();
    for (const ValueVector & vector : set.vectors) {
        vectors.push_back({{"value", vector.value},
                           {"condition", to_string(vector.condition)},
                           {"problem", vector.problem},
                           {"note", vector.note},
                           {"expressing", vector.n_expressing},
                           {"not_expressing", vector.n_not_expressing},
                           {"held_out_expressing", vector.n_held_out_expressing},
                           {"held_out_not_expressing", vector.n_held_out_not_expressing},
                           {"norm", column(vector.norm)},
                           {"split_half_cosine", column(vector.split_half_cosine)},
                           {"auroc", column(vector.auroc)}});
    }
    Json cosine = Json::object();
    for (std::size_t v = 0; v < set.values.size() && set.condition_cosine.size() >= (v + 1) * set.n_layer; ++v) {
        const auto begin = set.condition_cosine.begin() + static_cast<std::ptrdiff_t>(v * set.n_layer);
        cosine[set.values[v]] = column(std::vector<Estimate>(begin, begin + static_cast<std::ptrdiff_t>(set.n_layer)));
    }
    return {{"n_layer", set.n_layer},
            {"n_embd", set.n_embd},
            {"n_responses", set.n_responses},
            {"n_queries", set.n_queries},
            {"confidence", set.options.confidence},
            {"min_count", set.options.min_count},
            {"options",
             {{"min_count", set.options.min_count},
              {"held_out", set.options.held_out},
              {"bootstraps", set.options.bootstraps},
              {"confidence", set.options.confidence},
              {"seed", set.options.seed}}},
            {"few_held_out", few_held_out},
            {"notes", set.notes},
            {"values", set.values},
            {"vectors", std::move(vectors)},
            {"condition_cosine", std::move(cosine)}};
}

Json axes_part(const fs::path & folder) {
    const fs::path file = folder / "axes.safetensors";
    if (!fs::exists(file)) {
        return nullptr;
    }
    const AxisSet set = read_axes(file);
    Json stats = Json(axes_stats(set));
    // Undefined rows of NaN pass through as null, as in the file.
    stats = rounded(Json::parse(stats.dump()));
    stats["n_layer"] = set.n_layer;
    stats["n_embd"] = set.n_embd;
    return stats;
}

Json geometry_part(const fs::path & folder) {
    const fs::path file = folder / "geometry.json";
    if (!fs::exists(file)) {
        return nullptr;
    }
    Json geometry = read_json(file);
    geometry.erase("provenance");
    geometry.erase("other");
    check_geometry(Shape(file, "decompose"), geometry);
    const auto short_numbers = [](auto && self, Json & json) -> void {
        if (json.is_number_float()) {
            json = std::round(json.get<double>() * 1000) / 1000;
        }
        if (json.is_structured()) {
            for (Json & child : json) {
                self(self, child);
            }
        }
    };
    short_numbers(short_numbers, geometry);
    return geometry;
}

Json neurons_part(const fs::path & folder, Json & problems, std::size_t most) {
    const fs::path table = folder / "neurons.csv", counts = folder / "neurons.json";
    if (!fs::exists(table) || !fs::exists(counts)) {
        return nullptr;
    }
    Json part = rounded(read_json(counts));
    check_neurons(Shape(counts, "neurons"), part);
    for (const char * key : {"model_name", "model_hash", "location", "layer_convention", "tool_version"}) {
        part.erase(key);
    }
    try {
        part["table"] = neuron_columns(table, most);
        compare_lengths(table, part, problems);
    } catch (const Error & error) {
        part["table"] = nullptr;
        problems.push_back(error.what());
    }
    return part;
}

} // namespace valuelens
