#include "valuelens/concept_set.h"

#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <unordered_map>

#include "base/fail.h"
#include "base/file.h"
#include "concepts/shipped.h"
#include "concepts/text_lines.h"

namespace valuelens {

namespace {

/// A table of the file, read key by key; every error names file, line and key.
class TomlTable {
public:
    TomlTable(const toml::table & table, const std::string & file, std::size_t line, std::string what)
        : table_(table), file_(file), line_(line), what_(std::move(what)) {}

    template <typename... Args>
    [[noreturn]] void bad(std::size_t line, fmt::format_string<Args...> format, Args &&... args) const {
        fail(ErrorKind::bad_input, "{}:{}: {}", file_, line, fmt::format(format, std::forward<Args>(args)...));
    }

    void allow_only(std::initializer_list<std::string_view> keys) const {
        for (const auto & [key, node] : table_) {
            if (std::find(keys.begin(), keys.end(), key.str()) == keys.end()) {
                bad(key.source().begin.line, "unknown key \"{}\" in {}; known: {}", key.str(), what_,
                    fmt::join(keys, ", "));
            }
        }
    }

    std::string optional_text(std::string_view key) const {
        const toml::node * node = table_.get(key);
        if (node == nullptr) {
            return {};
        }
        if (!node->is_string()) {
            bad(node->source().begin.line, "\"{}\" must be a string", key);
        }
        const std::string & text = node->as_string()->get();
        if (is_blank(text)) {
            bad(node->source().begin.line, "\"{}\" is empty", key);
        }
        return text;
    }

    std::string text(std::string_view key) const {
        std::string found = optional_text(key);
        if (found.empty()) {
            bad(line_, "\"{}\" is missing in {}", key, what_);
        }
        return found;
    }

    std::optional<double> optional_degrees(std::string_view key) const {
        const toml::node * node = table_.get(key);
        if (node == nullptr) {
            return std::nullopt;
        }
        const std::optional<double> degrees = node->is_number() ? node->value<double>() : std::nullopt;
        if (!degrees || !std::isfinite(*degrees)) {
            bad(node->source().begin.line, "\"{}\" must be a number of degrees", key);
        }
        return degrees;
    }

    std::size_t line_of(std::string_view key) const {
        const toml::node * node = table_.get(key);
        return node == nullptr ? line_ : node->source().begin.line;
    }

private:
    const toml::table & table_;
    const std::string & file_;
    std::size_t line_;
    std::string what_;
};

bool is_identifier(const std::string & id) {
    return std::all_of(id.begin(), id.end(),
                       [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

Concept parse_concept(const TomlTable & table) {
    table.allow_only({"id", "name", "definition", "short", "angle", "wedge", "domain"});
    Concept concept_;
    concept_.id = table.text("id");
    if (!is_identifier(concept_.id)) {
        table.bad(table.line_of("id"), "id \"{}\" may hold only a-z, 0-9 and _", concept_.id);
    }
    concept_.name = table.text("name");
    concept_.definition = table.text("definition");
    concept_.short_name = table.optional_text("short");
    if (concept_.short_name.empty()) {
        concept_.short_name = concept_.name;
    }
    concept_.domain = table.optional_text("domain");
    concept_.angle = table.optional_degrees("angle");
    concept_.wedge = table.optional_degrees("wedge");
    return concept_;
}

ConceptSet parse_concept_set(std::string_view text, const std::string & file) {
    toml::table document;
    try {
        document = toml::parse(without_byte_order_mark(text), file);
    } catch (const toml::parse_error & error) {
        fail(ErrorKind::bad_input, "{}:{}: is not valid TOML ({})", file, error.source().begin.line,
             error.description());
    }
    const TomlTable root(document, file, 1, "a concept set");
    root.allow_only({"name", "title", "source", "value"});
    ConceptSet set;
    set.name = root.text("name");
    set.title = root.optional_text("title");
    set.source = root.optional_text("source");

    const toml::node * values = document.get("value");
    if (values == nullptr) {
        root.bad(1, "there is no [[value]]; a concept set needs at least one");
    }
    const toml::array * array = values->as_array();
    if (array == nullptr || !array->is_array_of_tables()) {
        root.bad(values->source().begin.line, "\"value\" must be an array of tables: write [[value]] before each one");
    }
    std::unordered_map<std::string, std::size_t> first_line;
    for (const toml::node & element : *array) {
        const std::size_t line = element.source().begin.line;
        const TomlTable table(*element.as_table(), file, line, "[[value]]");
        set.concepts.push_back(parse_concept(table));
        const std::string & id = set.concepts.back().id;
        const auto [first, fresh] = first_line.emplace(id, table.line_of("id"));
        if (!fresh) {
            table.bad(table.line_of("id"), "id \"{}\" was used before (line {}); each id must be unique", id,
                      first->second);
        }
    }
    return set;
}

} // namespace

std::optional<std::size_t> ConceptSet::find(const std::string & id) const {
    const auto found = std::find_if(concepts.begin(), concepts.end(), [&](const Concept & c) { return c.id == id; });
    if (found == concepts.end()) {
        return std::nullopt;
    }
    return static_cast<std::size_t>(found - concepts.begin());
}

ConceptSet schwartz10() {
    const ShippedText shipped = shipped_text("concepts/schwartz10.toml");
    return parse_concept_set(shipped.text, shipped.name);
}

ConceptSet load_concept_set(const std::filesystem::path & path) {
    return parse_concept_set(read_file(path), path.string());
}

} // namespace valuelens
