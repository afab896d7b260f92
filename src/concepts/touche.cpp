#include "concepts/touche.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "base/fail.h"
#include "base/file.h"
#include "base/text.h"
#include "base/utf8.h"
#include "concepts/unique_ids.h"

namespace valuelens {

namespace fs = std::filesystem;

namespace {

struct Facet {
    std::string_view column;
    std::string_view value; ///< concept id; empty: left out
};

constexpr std::array<Facet, 20> facets = {{
    {"Self-direction: thought", "self_direction"},
    {"Self-direction: action", "self_direction"},
    {"Stimulation", "stimulation"},
    {"Hedonism", "hedonism"},
    {"Achievement", "achievement"},
    {"Power: dominance", "power"},
    {"Power: resources", "power"},
    {"Face", ""},
    {"Security: personal", "security"},
    {"Security: societal", "security"},
    {"Tradition", "tradition"},
    {"Conformity: rules", "conformity"},
    {"Conformity: interpersonal", "conformity"},
    {"Humility", "tradition"},
    {"Benevolence: caring", "benevolence"},
    {"Benevolence: dependability", "benevolence"},
    {"Universalism: concern", "universalism"},
    {"Universalism: nature", "universalism"},
    {"Universalism: tolerance", "universalism"},
    {"Universalism: objectivity", ""},
}};

std::vector<std::string_view> split_tabs(std::string_view line) {
    std::vector<std::string_view> cells;
    for (;;) {
        const std::size_t tab = line.find('\t');
        cells.push_back(line.substr(0, tab));
        if (tab == std::string_view::npos) {
            return cells;
        }
        line.remove_prefix(tab + 1);
    }
}

/// Reads a table whose first line names exactly `columns` (in any order) and calls `row(cells, where)` with the cells
/// in the order of `columns`.
template <typename Row>
void read_table(const fs::path & path, const std::vector<std::string_view> & columns, Row && row) {
    std::vector<std::size_t> places;
    std::size_t rows = 0;
    const auto read_header = [&](const std::vector<std::string_view> & names) {
        for (const std::string_view column : columns) {
            const auto found = std::find(names.begin(), names.end(), column);
            if (found == names.end()) {
                fail(ErrorKind::bad_input, "{}:1: column \"{}\" is missing; expected the columns of Touché23-ValueEval",
                     path.string(), column);
            }
            places.push_back(static_cast<std::size_t>(found - names.begin()));
        }
        if (names.size() != columns.size()) {
            fail(ErrorKind::bad_input, "{}:1: there are {} columns, expected the {} of Touché23-ValueEval",
                 path.string(), names.size(), columns.size());
        }
    };
    for_each_line(path, [&](std::string_view line, std::size_t number) {
        const std::string where = fmt::format("{}:{}", path.string(), number);
        if (!is_valid_utf8(line)) {
            fail(ErrorKind::bad_input, "{}: is not valid UTF-8", where);
        }
        if (is_blank(line) && number > 1) {
            return;
        }
        const std::vector<std::string_view> cells = split_tabs(line);
        if (number == 1) {
            read_header(cells);
            return;
        }
        if (cells.size() != columns.size()) {
            fail(ErrorKind::bad_input, "{}: has {} tab-separated cells, expected {}", where, cells.size(),
                 columns.size());
        }
        std::vector<std::string_view> ordered;
        for (const std::size_t place : places) {
            ordered.push_back(cells[place]);
        }
        row(ordered, where);
        ++rows;
    });
    if (rows == 0) {
        fail(ErrorKind::bad_input, "{}: is empty, expected a table of Touché23-ValueEval", path.string());
    }
}

/// Where each facet goes: the position of its concept in `values`, or -1.
std::array<int, facets.size()> facet_targets(const std::vector<std::string> & values, const fs::path & path) {
    std::array<int, facets.size()> targets{};
    bool any = false;
    for (std::size_t i = 0; i < facets.size(); ++i) {
        const auto found = std::find(values.begin(), values.end(), facets[i].value);
        targets[i] = found == values.end() ? -1 : static_cast<int>(found - values.begin());
        any = any || targets[i] >= 0;
    }
    if (!any) {
        fail(ErrorKind::bad_input,
             "{}: Touché23-ValueEval is labelled with Schwartz's ten values, none of which is in the concept set ({})",
             path.string(), fmt::join(values, ", "));
    }
    return targets;
}

void load_part(const fs::path & arguments, const std::vector<std::string> & values, std::vector<LabelledText> & texts,
               UniqueIds & ids) {
    const std::string part = arguments.filename().string().substr(std::string_view("arguments-").size());
    const fs::path labels = arguments.parent_path() / ("labels-" + part);
    const auto targets = facet_targets(values, arguments);

    const std::size_t first = texts.size();
    std::unordered_map<std::string, std::size_t> position;
    std::vector<std::string> argument_lines;
    read_table(arguments, {"Argument ID", "Conclusion", "Stance", "Premise"},
               [&](const auto & cells, const auto & where) {
                   LabelledText text;
                   text.id = cells[0];
                   text.group = cells[1];
                   text.text = cells[3];
                   if (is_blank(text.id) || is_blank(text.text)) {
                       fail(ErrorKind::bad_input, "{}: the argument's id or premise is empty", where);
                   }
                   ids.add(text.id, where, "argument id");
                   position.emplace(text.id, texts.size());
                   argument_lines.push_back(where);
                   texts.push_back(std::move(text));
               });

    std::vector<std::string_view> columns = {"Argument ID"};
    for (const Facet & facet : facets) {
        columns.push_back(facet.column);
    }
    read_table(labels, columns, [&](const auto & cells, const auto & where) {
        const auto found = position.find(std::string(cells[0]));
        if (found == position.end()) {
            fail(ErrorKind::bad_input, "{}: argument \"{}\" is not in {}", where, cells[0], arguments.string());
        }
        std::vector<signed char> & out = texts[found->second].labels;
        if (!out.empty()) {
            fail(ErrorKind::bad_input, "{}: argument \"{}\" is labelled twice", where, cells[0]);
        }
        out.assign(values.size(), -1);
        for (std::size_t i = 0; i < facets.size(); ++i) {
            const std::string_view cell = cells[i + 1];
            if (cell != "0" && cell != "1") {
                fail(ErrorKind::bad_input, "{}: \"{}\" is \"{}\", expected 0 or 1", where, facets[i].column, cell);
            }
            if (targets[i] >= 0) {
                signed char & merged = out[static_cast<std::size_t>(targets[i])];
                merged = std::max<signed char>(merged, cell == "1" ? 1 : 0);
            }
        }
    });
    for (std::size_t i = first; i < texts.size(); ++i) {
        if (texts[i].labels.empty()) {
            fail(ErrorKind::bad_input, "{}: argument \"{}\" has no labels in {}", argument_lines[i - first],
                 texts[i].id, labels.string());
        }
    }
}

} // namespace

std::vector<LabelledText> load_touche(const fs::path & path, const std::vector<std::string> & values) {
    const auto is_arguments = [](const fs::path & file) {
        return file.filename().string().starts_with("arguments-") && file.extension() == ".tsv";
    };
    std::vector<fs::path> parts;
    if (fs::is_directory(path)) {
        for (const fs::directory_entry & entry : fs::directory_iterator(path)) {
            if (is_arguments(entry.path())) {
                parts.push_back(entry.path());
            }
        }
        std::sort(parts.begin(), parts.end());
    } else if (is_arguments(path)) {
        parts.push_back(path);
    }
    if (parts.empty()) {
        fail(ErrorKind::bad_input,
             "{}: expected arguments-<part>.tsv of Touché23-ValueEval, with labels-<part>.tsv beside", path.string());
    }
    std::vector<LabelledText> texts;
    UniqueIds ids;
    for (const fs::path & part : parts) {
        load_part(part, values, texts, ids);
    }
    return texts;
}

} // namespace valuelens
