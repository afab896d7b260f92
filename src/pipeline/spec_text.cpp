#include "pipeline/spec_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/fail.h"

namespace valuelens {

namespace {

std::optional<int> whole_number(std::string_view text) {
    int number = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (problem != std::errc() || end != text.data() + text.size() || number < 0) {
        return std::nullopt;
    }
    return number;
}

bool is_word(std::string_view text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

} // namespace

void SpecText::bad(const std::string & problem) const {
    fail(ErrorKind::usage, "{} {}: {}", option, whole, problem);
}

std::optional<std::string> SpecText::find(const std::string & name) const {
    const auto found = options.find(name);
    return found == options.end() ? std::nullopt : std::optional(found->second);
}

std::optional<float> SpecText::number(const std::string & name) const {
    const std::optional<std::string> text = find(name);
    if (!text) {
        return std::nullopt;
    }
    float number = 0;
    const auto [end, problem] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (problem != std::errc() || end != text->data() + text->size() || !std::isfinite(number)) {
        bad(fmt::format("{}={} is not a number", name, *text));
    }
    return number;
}

SpecText parse_spec_text(const std::string & text, const std::string & option,
                         std::initializer_list<std::string_view> allowed) {
    SpecText spec;
    spec.whole = text;
    spec.option = option;
    std::string_view rest = text;
    for (;;) {
        const std::size_t comma = rest.rfind(',');
        const std::size_t equals = comma == std::string_view::npos ? comma : rest.find('=', comma);
        if (equals == std::string_view::npos) {
            if (comma != std::string_view::npos && is_word(rest.substr(comma + 1))) {
                spec.bad(
                    fmt::format("\"{}\" has no value; write {}=...", rest.substr(comma + 1), rest.substr(comma + 1)));
            }
            break;
        }
        const std::string name(rest.substr(comma + 1, equals - comma - 1));
        const std::string value(rest.substr(equals + 1));
        if (std::find(allowed.begin(), allowed.end(), name) == allowed.end()) {
            spec.bad(fmt::format("unknown part \"{}\"; known: {}", name, fmt::join(allowed, ", ")));
        }
        if (value.empty()) {
            spec.bad(fmt::format("\"{}=\" has no value", name));
        }
        if (!spec.options.emplace(name, value).second) {
            spec.bad(fmt::format("\"{}\" is given twice", name));
        }
        rest = rest.substr(0, comma);
    }
    spec.head = rest;
    return spec;
}

std::optional<LayerRange> parse_layer_range(std::string_view text) {
    const std::size_t dash = text.find('-');
    const std::optional<int> first = whole_number(text.substr(0, dash));
    const std::optional<int> last = dash == std::string_view::npos ? first : whole_number(text.substr(dash + 1));
    return first && last && *first <= *last ? std::optional(LayerRange{*first, *last}) : std::nullopt;
}

std::optional<LayerRange> layer_range(const SpecText & spec) {
    const std::optional<std::string> text = spec.find("layers");
    if (!text) {
        return std::nullopt;
    }
    const std::optional<LayerRange> range = parse_layer_range(*text);
    if (!range) {
        spec.bad(
            fmt::format("layers={} is no range; write layers=A-B with block numbers from 0, A not above B", *text));
    }
    return range;
}

void require_layers(const SpecText & spec, const LayerRange & range, int n_layer) {
    if (range.last >= n_layer) {
        spec.bad(fmt::format("layers={}-{} reaches beyond the model, whose blocks are 0-{}", range.first, range.last,
                             n_layer - 1));
    }
}

} // namespace valuelens
