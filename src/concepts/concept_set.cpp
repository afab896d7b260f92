#include "valuelens/concept_set.h"

#include <algorithm>
#include <unordered_map>

#include "base/file.h"
#include "concepts/shipped.h"
#include "concepts/toml_table.h"

namespace valuelens {

namespace {

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
    const toml::table document = parse_toml(text, file);
    const TomlTable root(document, file, 1, "a concept set");
    root.allow_only({"name", "title", "source", "value"});
    ConceptSet set;
    set.name = root.text("name");
    set.title = root.optional_text("title");
    set.source = root.optional_text("source");

    std::unordered_map<std::string, std::size_t> first_line;
    for (const TomlTable & table : root.tables("value")) {
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
