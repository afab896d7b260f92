#include "decompose/axes_json.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/fail.h"
#include "base/json_number.h"

namespace valuelens {
namespace {

using nlohmann::json;

json to_json(const Estimate & estimate) {
    return {estimate.value, estimate.low, estimate.high};
}

json to_json(const Null & null) {
    return {null.mean, null.low, null.high};
}

void read(const json & stored, double & value) {
    value = number_or_nan(stored);
}

void read(const json & stored, std::string & value) {
    value = stored.get<std::string>();
}

void read(const json & stored, Estimate & estimate) {
    estimate = {number_or_nan(stored.at(0)), number_or_nan(stored.at(1)), number_or_nan(stored.at(2))};
}

void read(const json & stored, Null & null) {
    null = {number_or_nan(stored.at(0)), number_or_nan(stored.at(1)), number_or_nan(stored.at(2))};
}

double to_json(double value) {
    return value;
}

const std::string & to_json(const std::string & text) {
    return text;
}

/// One field of all layers, as a list: what one plots.
template <typename Layer, typename Field>
json column(const std::vector<Layer> & layers, Field Layer::*field) {
    json list = json::array();
    for (const Layer & layer : layers) {
        list.push_back(to_json(layer.*field));
    }
    return list;
}

template <typename Layer, typename Field>
void read_column(const json & list, std::vector<Layer> & layers, Field Layer::*field) {
    if (list.size() != layers.size()) {
        fail(ErrorKind::bad_input, "a list of layers has {} entries, expected {}", list.size(), layers.size());
    }
    for (std::size_t layer = 0; layer < layers.size(); ++layer) {
        read(list.at(layer), layers[layer].*field);
    }
}

/// The fields of PairGeometry, each named once for both directions.
template <typename Visit>
void for_each_field(Visit && visit, PairGeometry *) {
    visit("norm_intrinsic", &PairGeometry::norm_intrinsic);
    visit("norm_prompted", &PairGeometry::norm_prompted);
    visit("cosine", &PairGeometry::cosine);
    visit("sigma_1", &PairGeometry::sigma_1);
    visit("sigma_2", &PairGeometry::sigma_2);
    visit("sigma_ratio", &PairGeometry::sigma_ratio);
    visit("stability_shared", &PairGeometry::stability_shared);
    visit("stability_unique", &PairGeometry::stability_unique);
    visit("undefined", &PairGeometry::undefined);
}

template <typename Visit>
void for_each_field(Visit && visit, ComplianceLayer *) {
    visit("explained", &ComplianceLayer::explained);
    visit("explained_null", &ComplianceLayer::explained_null);
    visit("explained_unit", &ComplianceLayer::explained_unit);
    visit("explained_unit_null", &ComplianceLayer::explained_unit_null);
    visit("mean_cosine", &ComplianceLayer::mean_cosine);
    visit("mean_cosine_null", &ComplianceLayer::mean_cosine_null);
}

template <typename Layer>
json columns(const std::vector<Layer> & layers) {
    json object = json::object();
    for_each_field([&](const char * name, auto field) { object[name] = column(layers, field); },
                   static_cast<Layer *>(nullptr));
    return object;
}

template <typename Layer>
void read_columns(const json & object, std::vector<Layer> & layers) {
    for_each_field([&](const char * name, auto field) { read_column(object.at(name), layers, field); },
                   static_cast<Layer *>(nullptr));
}

/// Positions in a list of names, written as the names.
json names_of(const std::vector<std::size_t> & positions, const std::vector<std::string> & names) {
    json list = json::array();
    for (const std::size_t position : positions) {
        list.push_back(names.at(position));
    }
    return list;
}

std::vector<std::size_t> positions_of(const json & list, const std::vector<std::string> & names) {
    std::vector<std::size_t> positions;
    for (const json & name : list) {
        const auto found = std::find(names.begin(), names.end(), name.get<std::string>());
        if (found == names.end()) {
            fail(ErrorKind::bad_input, "a circle names '{}', which is none of {}", name.get<std::string>(),
                 fmt::join(names, ", "));
        }
        positions.push_back(static_cast<std::size_t>(found - names.begin()));
    }
    return positions;
}

json to_json(const CircleFit & fit) {
    return {{"r_squared", fit.r_squared}, {"p", fit.p}, {"null", to_json(fit.null)}};
}

CircleFit to_fit(const json & stored) {
    CircleFit fit;
    fit.r_squared = number_or_nan(stored.at("r_squared"));
    fit.p = number_or_nan(stored.at("p"));
    read(stored.at("null"), fit.null);
    return fit;
}

json to_json(const CircleLayer & layer, const std::vector<std::string> & used) {
    json plane = json::array();
    for (const auto & [x, y] : layer.plane) {
        plane.push_back({x, y});
    }
    return {{"explained", {layer.explained_1, layer.explained_2}},
            {"even", to_json(layer.even)},
            {"wedges", to_json(layer.wedges)},
            {"plane", plane},
            {"nearest", names_of(layer.nearest, used)},
            {"opposite", names_of(layer.opposite, used)},
            {"undefined", layer.undefined}};
}

CircleLayer to_circle_layer(const json & stored, const std::vector<std::string> & used) {
    CircleLayer layer;
    layer.explained_1 = number_or_nan(stored.at("explained").at(0));
    layer.explained_2 = number_or_nan(stored.at("explained").at(1));
    layer.even = to_fit(stored.at("even"));
    layer.wedges = to_fit(stored.at("wedges"));
    for (const json & point : stored.at("plane")) {
        layer.plane.emplace_back(number_or_nan(point.at(0)), number_or_nan(point.at(1)));
    }
    layer.nearest = positions_of(stored.at("nearest"), used);
    layer.opposite = positions_of(stored.at("opposite"), used);
    layer.undefined = stored.at("undefined");
    return layer;
}

std::vector<std::string> used_names(const Circle & circle, const AxisSet & set) {
    std::vector<std::string> names;
    for (const std::size_t position : circle.used) {
        names.push_back(set.values.at(position));
    }
    return names;
}

json to_json(const Circle & circle, const AxisSet & set) {
    const std::vector<std::string> used = used_names(circle, set);
    json layers = json::array();
    for (const CircleLayer & layer : circle.layers) {
        layers.push_back(to_json(layer, used));
    }
    return {{"kind", to_string(circle.kind)},
            {"used", used},
            {"theoretical_nearest", names_of(circle.theoretical_nearest, used)},
            {"theoretical_opposite", names_of(circle.theoretical_opposite, used)},
            {"layers", layers},
            {"range", to_json(circle.range, used)}};
}

AxisKind to_kind(const std::string & name) {
    for (const AxisKind kind : {AxisKind::shared, AxisKind::intrinsic, AxisKind::prompted}) {
        if (name == to_string(kind)) {
            return kind;
        }
    }
    fail(ErrorKind::bad_input, "a circle is of kind '{}', expected shared, intrinsic or prompted", name);
}

Circle to_circle(const json & stored, const AxisSet & set) {
    Circle circle;
    circle.kind = to_kind(stored.at("kind"));
    circle.used = positions_of(stored.at("used"), set.values);
    const std::vector<std::string> used = used_names(circle, set);
    circle.theoretical_nearest = positions_of(stored.at("theoretical_nearest"), used);
    circle.theoretical_opposite = positions_of(stored.at("theoretical_opposite"), used);
    for (const json & layer : stored.at("layers")) {
        circle.layers.push_back(to_circle_layer(layer, used));
    }
    if (circle.layers.size() != set.n_layer) {
        fail(ErrorKind::bad_input, "a circle has {} layers, expected {}", circle.layers.size(), set.n_layer);
    }
    circle.range = to_circle_layer(stored.at("range"), used);
    return circle;
}

} // namespace

json axes_stats(const AxisSet & set) {
    const DecomposeOptions & options = set.options;
    json axes = json::array();
    for (const ValueAxes & each : set.axes) {
        axes.push_back({{"value", each.value}, {"problem", each.problem}, {"layers", columns(each.layers)}});
    }
    json circles = json::array();
    for (const Circle & circle : set.circles) {
        circles.push_back(to_json(circle, set));
    }
    return {{"values", set.values},
            {"notes", set.notes},
            {"axes", std::move(axes)},
            {"compliance", columns(set.compliance_layers)},
            {"circles", std::move(circles)},
            {"options",
             {{"normalize", options.normalize},
              {"bootstraps", options.bootstraps},
              {"confidence", options.confidence},
              {"resample_groups", options.resample_groups},
              {"permutations", options.permutations},
              {"null_draws", options.null_draws},
              {"seed", options.seed},
              {"first_layer", options.first_layer},
              {"last_layer", options.last_layer}}}};
}

void read_axes_stats(const json & stats, AxisSet & set) {
    set.values = stats.at("values").get<std::vector<std::string>>();
    set.notes = stats.at("notes").get<std::vector<std::string>>();
    for (const json & stored : stats.at("axes")) {
        ValueAxes & axes = set.axes.emplace_back();
        axes.value = stored.at("value");
        axes.problem = stored.at("problem");
        axes.layers.resize(axes.problem.empty() ? set.n_layer : 0);
        read_columns(stored.at("layers"), axes.layers);
    }
    if (set.axes.size() != set.values.size()) {
        fail(ErrorKind::bad_input, "'axes' has {} entries, expected one for each of {} values", set.axes.size(),
             set.values.size());
    }
    set.compliance_layers.resize(set.n_layer);
    read_columns(stats.at("compliance"), set.compliance_layers);
    for (const json & stored : stats.at("circles")) {
        set.circles.push_back(to_circle(stored, set));
    }
    const json & options = stats.at("options");
    set.options.normalize = options.at("normalize");
    set.options.bootstraps = options.at("bootstraps");
    set.options.confidence = options.at("confidence");
    set.options.resample_groups = options.at("resample_groups");
    set.options.permutations = options.at("permutations");
    set.options.null_draws = options.at("null_draws");
    set.options.seed = options.at("seed");
    set.options.first_layer = options.at("first_layer");
    set.options.last_layer = options.at("last_layer");
    if (set.options.first_layer > set.options.last_layer || set.options.last_layer >= set.n_layer) {
        fail(ErrorKind::bad_input, "the layer range {}-{} does not lie within the {} layers", set.options.first_layer,
             set.options.last_layer, set.n_layer);
    }
}

} // namespace valuelens
