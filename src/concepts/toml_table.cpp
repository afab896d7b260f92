#include "concepts/toml_table.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "base/text.h"
#include "concepts/text_lines.h"

namespace valuelens {

toml::table parse_toml(std::string_view text, const std::string & file) {
    try {
        return toml::parse(without_byte_order_mark(text), file);
    } catch (const toml::parse_error & error) {
        fail(ErrorKind::bad_input, "{}:{}: is not valid TOML ({})", file, error.source().begin.line,
             error.description());
    }
}

void TomlTable::allow_only(std::initializer_list<std::string_view> keys) const {
    for (const auto & [key, node] : *table_) {
        if (std::find(keys.begin(), keys.end(), key.str()) == keys.end()) {
            bad(key.source().begin.line, "unknown key \"{}\" in {}; known: {}", key.str(), what_,
                fmt::join(keys, ", "));
        }
    }
}

std::vector<std::string> TomlTable::keys() const {
    std::vector<std::string> keys;
    for (const auto & [key, node] : *table_) {
        keys.emplace_back(key.str());
    }
    return keys;
}

std::string TomlTable::optional_text(std::string_view key) const {
    const toml::node * node = table_->get(key);
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

std::string TomlTable::text(std::string_view key) const {
    std::string found = optional_text(key);
    if (found.empty()) {
        bad(line_, "\"{}\" is missing in {}", key, what_);
    }
    return found;
}

std::optional<double> TomlTable::optional_degrees(std::string_view key) const {
    const toml::node * node = table_->get(key);
    if (node == nullptr) {
        return std::nullopt;
    }
    const std::optional<double> degrees = node->is_number() ? node->value<double>() : std::nullopt;
    if (!degrees || !std::isfinite(*degrees)) {
        bad(node->source().begin.line, "\"{}\" must be a number of degrees", key);
    }
    return degrees;
}

std::size_t TomlTable::count(std::string_view key) const {
    return checked_count(node(key), key);
}

std::vector<std::string> TomlTable::texts(std::string_view key) const {
    std::vector<std::string> texts;
    for (const toml::node & element : array(key)) {
        if (!element.is_string() || is_blank(element.as_string()->get())) {
            bad(element.source().begin.line, "element {} of \"{}\" must be a string that is not empty",
                texts.size() + 1, key);
        }
        texts.push_back(element.as_string()->get());
    }
    return texts;
}

std::vector<std::size_t> TomlTable::counts(std::string_view key) const {
    std::vector<std::size_t> counts;
    for (const toml::node & element : array(key)) {
        counts.push_back(checked_count(element, key));
    }
    return counts;
}

TomlTable TomlTable::table(std::string_view key) const {
    const toml::node & found = node(key);
    if (!found.is_table()) {
        bad(found.source().begin.line, "\"{}\" must be a table: write [{}]", key, key);
    }
    return TomlTable(*found.as_table(), file_, found.source().begin.line, fmt::format("[{}]", key));
}

std::vector<TomlTable> TomlTable::tables(std::string_view key) const {
    if (!has(key)) {
        bad(line_, "there is no [[{}]]; {} needs at least one", key, what_);
    }
    const toml::node & found = node(key);
    if (!found.is_array() || !found.as_array()->is_array_of_tables()) {
        bad(found.source().begin.line, "\"{}\" must be an array of tables: write [[{}]] before each one", key, key);
    }
    std::vector<TomlTable> tables;
    for (const toml::node & element : *found.as_array()) {
        tables.emplace_back(*element.as_table(), file_, element.source().begin.line, fmt::format("[[{}]]", key));
    }
    return tables;
}

std::size_t TomlTable::line_of(std::string_view key) const {
    const toml::node * node = table_->get(key);
    return node == nullptr ? line_ : node->source().begin.line;
}

const toml::node & TomlTable::node(std::string_view key) const {
    const toml::node * node = table_->get(key);
    if (node == nullptr) {
        bad(line_, "\"{}\" is missing in {}", key, what_);
    }
    return *node;
}

const toml::array & TomlTable::array(std::string_view key) const {
    const toml::node & found = node(key);
    if (!found.is_array()) {
        bad(found.source().begin.line, "\"{}\" must be an array", key);
    }
    return *found.as_array();
}

std::size_t TomlTable::checked_count(const toml::node & node, std::string_view key) const {
    const std::int64_t number = node.is_integer() ? node.as_integer()->get() : 0;
    if (number < 1) {
        bad(node.source().begin.line, "\"{}\" must hold whole numbers from 1 on", key);
    }
    return static_cast<std::size_t>(number);
}

} // namespace valuelens
