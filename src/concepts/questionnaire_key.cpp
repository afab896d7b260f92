#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/text.h"
#include "base/utf8.h"
#include "concepts/csv_table.h"
#include "concepts/json_lines.h"
#include "concepts/questionnaire.h"
#include "concepts/shipped.h"
#include "concepts/text_lines.h"
#include "concepts/toml_table.h"
#include "concepts/unique_ids.h"

namespace valuelens {

namespace {

constexpr std::string_view key_folder = "questionnaires/keys/";
constexpr std::string_view key_extension = ".toml";
constexpr std::string_view item_schema = R"({"text" (or "item"), "number" (or "id")?})";

QuestionnaireKey parse_key(std::string_view text, const std::string & file, const std::vector<std::string> * values) {
    const toml::table document = parse_toml(text, file);
    const TomlTable root(document, file, 1, "a scoring key");
    root.allow_only({"name", "title", "source", "items", "left_out", "values"});
    QuestionnaireKey key;
    key.name = root.text("name");
    key.title = root.optional_text("title");
    key.source = root.optional_text("source");
    key.value_of.resize(root.count("items"));

    UniqueIds numbers;
    const auto claim = [&](const TomlTable & table, const std::string & list, const std::string & value) {
        for (const std::size_t number : table.counts(list)) {
            if (number > key.value_of.size()) {
                table.bad(table.line_of(list), "\"{}\" holds item {}, but \"items\" is {}", list, number,
                          key.value_of.size());
            }
            numbers.add(fmt::format("{}", number), fmt::format("{}:{}", file, table.line_of(list)), "item");
            key.value_of[number - 1] = value;
        }
    };
    const TomlTable lists = root.table("values");
    for (const std::string & value : lists.keys()) {
        if (values != nullptr && std::find(values->begin(), values->end(), value) == values->end()) {
            lists.bad(lists.line_of(value), "\"{}\" is not in the concept set; known: {}", value,
                      fmt::join(*values, ", "));
        }
        claim(lists, value, value);
    }
    if (root.has("left_out")) {
        claim(root, "left_out", "");
    }
    for (std::size_t number = 1; number <= key.value_of.size(); ++number) {
        if (!numbers.contains(fmt::format("{}", number))) {
            root.bad(lists.line(), "item {} is in no list; put it under a value or into \"left_out\"", number);
        }
    }
    return key;
}

/// A statement as a user's file has it.
struct RawItem {
    std::string text;
    std::optional<std::size_t> number;
    std::string where;
};

std::optional<std::size_t> whole_number(std::string_view text) {
    std::size_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return number;
}

std::size_t need_number(std::string_view text, const std::string & where, std::string_view field) {
    const std::optional<std::size_t> number = whole_number(trimmed(text));
    if (!number) {
        fail(ErrorKind::bad_input, "{}: \"{}\" is \"{}\", expected the number of the item", where, field, text);
    }
    return *number;
}

std::vector<RawItem> read_json_items(std::string_view text, const std::string & name) {
    std::vector<RawItem> items;
    for_each_json_record(text, name, item_schema, [&](const JsonRecord & record) {
        RawItem item{"", std::nullopt, record.where};
        item.text = record.object.contains("item") ? record.text("item") : record.text("text");
        for (const char * key : {"number", "id"}) {
            if (const auto number = record.optional_identifier(key); number && !item.number) {
                item.number = need_number(*number, record.where, key);
            }
        }
        items.push_back(std::move(item));
    });
    return items;
}

std::vector<RawItem> read_csv_items(std::string_view text, const std::string & name) {
    std::vector<RawItem> items;
    std::size_t text_column = 0;
    std::optional<std::size_t> number_column;
    std::string number_name;
    for_each_csv_record(
        text, name,
        [&](const CsvHeader & header) {
            text_column = header.need({"text", "item"});
            number_column = header.find({"number", "id"});
            number_name = number_column ? header.names[*number_column] : "";
        },
        [&](const std::vector<std::string> & cells, const std::string & where) {
            RawItem item{cells[text_column], std::nullopt, where};
            if (number_column) {
                item.number = need_number(cells[*number_column], where, number_name);
            }
            items.push_back(std::move(item));
        });
    return items;
}

/// "7. Text", "7) Text", "(7) Text", "7: Text", "7 Text".
RawItem parse_text_item(std::string_view line, std::string where) {
    RawItem item{std::string(line), std::nullopt, std::move(where)};
    std::string_view rest = line;
    const bool bracketed = rest.starts_with('(');
    rest.remove_prefix(bracketed ? 1 : 0);
    const std::size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
    const std::string_view separators = bracketed ? ")" : ".):\t ";
    const bool separated = digits == rest.size() ? !bracketed : separators.find(rest[digits]) != std::string_view::npos;
    if (digits > 0 && separated) {
        item.number = whole_number(rest.substr(0, digits));
    }
    if (item.number) {
        rest.remove_prefix(std::min(digits + 1, rest.size()));
        item.text = trimmed(rest);
    }
    return item;
}

std::vector<RawItem> read_text_items(std::string_view text, const std::string & name) {
    std::vector<RawItem> items;
    for_each_text_line(text, [&](std::string_view line, std::size_t line_number) {
        std::string where = fmt::format("{}:{}", name, line_number);
        if (!is_valid_utf8(line)) {
            fail(ErrorKind::bad_input, "{}: is not valid UTF-8; save the file as UTF-8", where);
        }
        if (!is_blank(line)) {
            items.push_back(parse_text_item(trimmed(line), std::move(where)));
        }
    });
    return items;
}

std::vector<RawItem> read_items(std::string_view text, const std::filesystem::path & path) {
    const std::string extension = path.extension().string();
    if (extension == ".json" || extension == ".jsonl") {
        return read_json_items(text, path.string());
    }
    return extension == ".csv" ? read_csv_items(text, path.string()) : read_text_items(text, path.string());
}

/// Gives every item its number: its own, or its place.
void number_items(std::vector<RawItem> & items, const QuestionnaireKey & key, const std::string & name) {
    const std::size_t expected = key.value_of.size();
    UniqueIds numbers;
    std::size_t place = 0;
    const bool numbered = !items.empty() && items.front().number.has_value();
    for (RawItem & item : items) {
        ++place;
        if (item.number.has_value() != numbered) {
            fail(ErrorKind::bad_input, "{}: the item has {} number, but {} has {}; number all items or none",
                 item.where, numbered ? "no" : "a", items.front().where, numbered ? "one" : "none");
        }
        if (!numbered) {
            item.number = place;
            continue;
        }
        if (*item.number < 1 || *item.number > expected) {
            fail(ErrorKind::bad_input, "{}: item number {} is not among the items 1-{} of the key {}", item.where,
                 *item.number, expected, key.name);
        }
        numbers.add(fmt::format("{}", *item.number), item.where, "item number");
    }
    if (items.size() == expected) {
        return;
    }
    std::string missing;
    for (std::size_t number = 1; numbered && number <= expected && missing.empty(); ++number) {
        if (!numbers.contains(fmt::format("{}", number))) {
            missing = fmt::format("; number {} is missing", number);
        }
    }
    fail(ErrorKind::bad_input, "{}: holds {} items, expected the {} of the key {}{}", name, items.size(), expected,
         key.name, missing);
}

} // namespace

QuestionnaireKey shipped_questionnaire_key(const std::string & name) {
    const std::string path = fmt::format("{}{}{}", key_folder, name, key_extension);
    if (!find_embedded(path)) {
        std::vector<std::string_view> known;
        for (const EmbeddedFile & file : embedded_files()) {
            if (file.path.starts_with(key_folder)) {
                known.push_back(
                    file.path.substr(key_folder.size(), file.path.size() - key_folder.size() - key_extension.size()));
            }
        }
        fail(ErrorKind::usage, "there is no scoring key \"{}\"; shipped: {}", name, fmt::join(known, ", "));
    }
    const ShippedText shipped = shipped_text(path);
    return parse_key(shipped.text, shipped.name, nullptr);
}

QuestionnaireKey load_questionnaire_key(const std::filesystem::path & path, const std::vector<std::string> & values) {
    return parse_key(read_file(path), path.string(), &values);
}

Questionnaire load_questionnaire(const std::filesystem::path & path, const QuestionnaireKey & key) {
    std::vector<RawItem> items = read_items(read_file(path), path);
    for (const RawItem & item : items) {
        if (is_blank(item.text)) {
            fail(ErrorKind::bad_input, "{}: the item's text is empty", item.where);
        }
    }
    number_items(items, key, path.string());
    std::sort(items.begin(), items.end(), [](const RawItem & a, const RawItem & b) { return *a.number < *b.number; });

    Questionnaire questionnaire;
    questionnaire.name = key.name;
    for (RawItem & item : items) {
        const std::string & value = key.value_of[*item.number - 1];
        if (value.empty()) {
            ++questionnaire.left_out;
        } else {
            questionnaire.items.push_back({fmt::format("{}", *item.number), value, std::move(item.text)});
        }
    }
    return questionnaire;
}

} // namespace valuelens
