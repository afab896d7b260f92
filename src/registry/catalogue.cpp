#include "registry/catalogue.h"

#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <algorithm>
#include <set>

#include "base/embedded.h"
#include "base/fail.h"

namespace valuelens {

namespace {

/// One table of the catalogue, and where it stands.
class Row {
public:
    Row(const toml::table & table, const std::string & source) : table_(table), source_(source) {}

    [[noreturn]] void wrong(std::string_view key, std::string_view expected) const {
        const toml::node * node = table_.get(key);
        fail(ErrorKind::bad_input, "{}:{}: '{}' must be {}", source_,
             (node != nullptr ? node->source() : table_.source()).begin.line, key, expected);
    }

    std::string text(std::string_view key) const {
        const auto value = table_[key].value<std::string>();
        if (!value || value->empty()) {
            wrong(key, "a text that is not empty");
        }
        return *value;
    }

    std::uint64_t count(std::string_view key) const {
        const auto value = table_[key].value<std::int64_t>();
        if (!value || *value <= 0) {
            wrong(key, "a number above 0");
        }
        return static_cast<std::uint64_t>(*value);
    }

    /// The rows of an array of tables that is not empty.
    std::vector<Row> rows(std::string_view key) const {
        const toml::array * array = table_[key].as_array();
        std::vector<Row> found;
        if (array != nullptr) {
            for (const toml::node & node : *array) {
                if (const toml::table * table = node.as_table()) {
                    found.emplace_back(*table, source_);
                }
            }
        }
        if (array == nullptr || found.empty() || found.size() != array->size()) {
            wrong(key, "a list of tables that is not empty");
        }
        return found;
    }

private:
    const toml::table & table_;
    const std::string & source_;
};

bool is_name(const std::string & text) {
    // A name becomes a folder of the cache and stands before the colon of NAME:TYPE.
    return text.front() != '.' &&
           text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-_") == std::string::npos;
}

CatalogueEntry read_entry(const Row & row) {
    CatalogueEntry entry;
    entry.name = row.text("name");
    if (!is_name(entry.name)) {
        row.wrong("name", "of small letters, digits, '.', '-' and '_'");
    }
    entry.description = row.text("description");
    entry.license = row.text("license");
    entry.bytes = row.count("bytes");
    entry.sha256 = row.text("sha256");
    if (entry.sha256.size() != 64 || entry.sha256.find_first_not_of("0123456789abcdef") != std::string::npos) {
        row.wrong("sha256", "64 small hex digits");
    }
    entry.default_type = row.text("default_type");
    if (std::ranges::count(model_types(), entry.default_type) == 0) {
        row.wrong("default_type", fmt::format("one of {}", fmt::join(model_types(), ", ")));
    }
    for (const Row & part : row.rows("packages")) {
        entry.packages.push_back({part.text("package"), part.text("version"), part.text("member")});
    }
    return entry;
}

} // namespace

std::vector<CatalogueEntry> parse_catalogue(std::string_view text, const std::string & source) {
    toml::table table;
    try {
        table = toml::parse(text, source);
    } catch (const toml::parse_error & error) {
        fail(ErrorKind::bad_input, "{}:{}: {}", source, error.source().begin.line, error.description());
    }
    std::vector<CatalogueEntry> entries;
    std::set<std::string> names;
    for (const Row & row : Row(table, source).rows("model")) {
        entries.push_back(read_entry(row));
        if (!names.insert(entries.back().name).second) {
            row.wrong("name", "unique in the catalogue");
        }
    }
    return entries;
}

const std::vector<CatalogueEntry> & catalogue() {
    static const std::vector<CatalogueEntry> entries = [] {
        const auto text = find_embedded("models.toml");
        if (!text) {
            fail(ErrorKind::internal, "data/models.toml is not in this binary");
        }
        return parse_catalogue(*text, "data/models.toml");
    }();
    return entries;
}

const std::vector<std::string> & model_types() {
    static const std::vector<std::string> types{"original", "f32", "bf16", "q8_0", "q4_0"};
    return types;
}

const CatalogueEntry * find_in_catalogue(std::string_view name) {
    const auto found = std::ranges::find(catalogue(), name, &CatalogueEntry::name);
    return found == catalogue().end() ? nullptr : &*found;
}

std::string catalogue_names() {
    std::string names;
    for (const CatalogueEntry & entry : catalogue()) {
        names += names.empty() ? entry.name : ", " + entry.name;
    }
    return names;
}

void check_model_type(const std::string & type) {
    if (std::ranges::count(model_types(), type) == 0) {
        fail(ErrorKind::usage, "'{}' is not a type of model: use one of {}", type, fmt::join(model_types(), ", "));
    }
}

} // namespace valuelens
