#include "pipeline/inspect_results.h"

#include <toml++/toml.h>

#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/fail.h"
#include "base/file.h"

namespace valuelens {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::size_t longest_fact = 120;

void add_fact(FileInspection & result, const std::string & name, const json & value) {
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    result.facts.emplace_back(
        name, value.is_structured() && text.size() > longest_fact ? fmt::format("{} entries", value.size()) : text);
}

/// "-0.41 [-0.62, -0.20]" of [value, low, high]; "undefined" of null.
std::string estimate_text(const json & estimate) {
    if (!estimate.is_array() || estimate.size() != 3 || !estimate[0].is_number()) {
        return "undefined";
    }
    const bool interval = estimate[1].is_number() && estimate[2].is_number();
    return fmt::format("{:.3g}", estimate[0].get<double>()) +
           (interval ? fmt::format(" [{:.3g}, {:.3g}]", estimate[1].get<double>(), estimate[2].get<double>()) : "");
}

/// The choices of tune.json: per curve the strongest on each side that costs less than max_drop.
void add_tune_facts(const json & object, FileInspection & result) {
    const json curves = object.value("curves", json::array());
    for (const json & curve : curves) {
        const auto choice = [&](const char * side) {
            const auto found = curve.find(side);
            return found != curve.end() && found->is_object() && found->contains("strength")
                       ? (*found)["strength"].dump()
                       : std::string("none");
        };
        const auto layers = curve.find("layers");
        const bool range = layers != curve.end() && layers->is_array() && layers->size() == 2;
        result.facts.emplace_back(
            text_of(curve, "intervention") +
                (range ? fmt::format(", layers {}-{}", (*layers)[0].dump(), (*layers)[1].dump()) : ""),
            fmt::format("{} strengths tried; chosen above {}, below {}", curve.value("points", json::array()).size(),
                        choice("above"), choice("below")));
    }
}

/// The counts of neurons.json, per value and category, beside chance.
void add_neuron_facts(const json & object, FileInspection & result) {
    for (const json & value : object["values"]) {
        std::vector<std::string> parts;
        const json counts = value.value("counts", json::object());
        const json chance = value.value("chance", json::object());
        for (const auto & [category, count] : counts.items()) {
            parts.push_back(fmt::format("{} {}", count.dump(), category) +
                            (chance.is_object() && chance.contains(category)
                                 ? fmt::format(" (chance {})", estimate_text(chance[category]))
                                 : ""));
        }
        result.facts.emplace_back(text_of(value, "value"), fmt::format("{}", fmt::join(parts, ", ")));
    }
}

void add_toml_facts(const toml::table & table, const std::string & prefix, FileInspection & result) {
    for (const auto & [key, node] : table) {
        const std::string name = prefix + std::string(key.str());
        if (const toml::table * inner = node.as_table()) {
            add_toml_facts(*inner, name + ".", result);
            continue;
        }
        if (const auto * words = node.as_string()) {
            result.facts.emplace_back(name, words->get());
            continue;
        }
        std::ostringstream text;
        node.visit([&](const auto & value) { text << value; });
        const toml::array * list = node.as_array();
        result.facts.emplace_back(name, list != nullptr && text.str().size() > longest_fact
                                            ? fmt::format("{} entries", list->size())
                                            : text.str());
    }
}

} // namespace

std::string text_of(const json & object, const char * key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

FileInspection inspect_json(const fs::path & path) {
    const json object = json::parse(read_file(path), nullptr, false);
    if (!object.is_object()) {
        fail(ErrorKind::bad_input, "{}: is not a JSON object", path.string());
    }
    FileInspection result;
    const std::string format = text_of(object, "format");
    result.kind = format.starts_with("valuelens.evaluation/") ? FileKind::evaluation : FileKind::json;
    const bool neurons = object.contains("n_neuron") && object.contains("values") && object["values"].is_array();
    for (const auto & [key, value] : object.items()) {
        add_fact(result, key, value);
    }
    if (format.starts_with("valuelens.tune/")) {
        add_tune_facts(object, result);
    } else if (neurons) {
        add_neuron_facts(object, result);
    }
    return result;
}

FileInspection inspect_json_lines(const fs::path & path) {
    FileInspection result;
    result.kind = FileKind::lines;
    std::size_t lines = 0;
    std::map<std::string, std::size_t> keys;
    for_each_line(path, [&](std::string_view text, std::size_t number) {
        if (text.empty()) {
            return;
        }
        const json line = json::parse(text, nullptr, false);
        if (!line.is_object()) {
            fail(ErrorKind::bad_input, "{}:{}: is not a JSON object", path.string(), number);
        }
        ++lines;
        for (const auto & [key, value] : line.items()) {
            ++keys[key];
        }
    });
    result.facts.emplace_back("lines", std::to_string(lines));
    for (const auto & [key, count] : keys) {
        result.facts.emplace_back(key, count == lines ? "in all" : fmt::format("in {}", count));
    }
    return result;
}

FileInspection inspect_toml(const fs::path & path) {
    FileInspection result;
    result.kind = FileKind::configuration;
    try {
        add_toml_facts(toml::parse(read_file(path), path.string()), "", result);
    } catch (const toml::parse_error & error) {
        fail(ErrorKind::bad_input, "{}:{}: {}", path.string(), error.source().begin.line, error.description());
    }
    return result;
}

} // namespace valuelens
