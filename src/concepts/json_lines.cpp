#include "concepts/json_lines.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "concepts/text_lines.h"

namespace valuelens {

using nlohmann::json;

namespace {

const json * find_value(const json & object, const char * key) {
    const auto found = object.find(key);
    return found == object.end() || found->is_null() ? nullptr : &*found;
}

void for_each_line_record(std::string_view text, const std::string & name, std::string_view schema,
                          const OnJsonRecord & on_record) {
    std::size_t records = 0;
    for_each_text_line(text, [&](std::string_view line, std::size_t number) {
        if (is_blank(line)) {
            return;
        }
        const std::string where = fmt::format("{}:{}", name, number);
        json object;
        try {
            object = json::parse(line);
        } catch (const json::parse_error & error) {
            fail(ErrorKind::bad_input, "{}: is not valid JSON ({}); expected one object on one line, {}", where,
                 json_complaint(line, error.byte, error.what()), schema);
        }
        if (!object.is_object()) {
            fail(ErrorKind::bad_input, "{}: holds a JSON {}, expected an object, {}", where, object.type_name(),
                 schema);
        }
        on_record(JsonRecord{object, where, number, schema});
        ++records;
    });
    if (records == 0) {
        fail(ErrorKind::bad_input, "{}: is empty, expected lines of JSON, {}", name, schema);
    }
}

void for_each_array_record(std::string_view text, const std::string & name, std::string_view schema,
                           const OnJsonRecord & on_record) {
    std::size_t records = 0;
    const auto accept = [&](const json & element) {
        const std::string where = fmt::format("{}: element {}", name, records);
        if (!element.is_object()) {
            fail(ErrorKind::bad_input, "{}: is a JSON {}, expected an object, {}", where, element.type_name(), schema);
        }
        on_record(JsonRecord{element, where, records, schema});
        ++records;
    };
    // Elements are handed on and dropped while the array is read: such files reach hundreds of megabytes.
    const auto filter = [&](int depth, json::parse_event_t event, json & element) {
        const bool complete = event == json::parse_event_t::object_end || event == json::parse_event_t::array_end ||
                              event == json::parse_event_t::value;
        if (depth == 1 && complete) {
            accept(element);
            return false;
        }
        return true;
    };
    try {
        // The result is what the filter left: an empty array.
        const json emptied = json::parse(text, filter);
        static_cast<void>(emptied);
    } catch (const json::parse_error & error) {
        const std::size_t position = std::min(error.byte, text.size());
        const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(position), '\n');
        fail(ErrorKind::bad_input, "{}:{}: is not valid JSON ({})", name, line,
             json_complaint(text, error.byte, error.what()));
    }
    if (records == 0) {
        fail(ErrorKind::bad_input, "{}: is an empty JSON array, expected elements, {}", name, schema);
    }
}

} // namespace

std::string json_complaint(std::string_view text, std::size_t byte, std::string_view what) {
    const std::size_t position = std::min(byte, text.size());
    const std::size_t line_start = position == 0 ? std::string_view::npos : text.rfind('\n', position - 1);
    const std::size_t column = line_start == std::string_view::npos ? position : position - line_start - 1;
    // "[json.exception.parse_error.101] parse error at line 1, column 3: syntax error ...; last read: '...'"
    if (const std::size_t prefix = what.find(": "); prefix != std::string_view::npos) {
        what.remove_prefix(prefix + 2);
    }
    what = what.substr(0, what.find("; last read"));
    return fmt::format("column {}: {}", column, what);
}

std::optional<std::string> JsonRecord::optional_text(const char * key) const {
    const json * value = find_value(object, key);
    if (value == nullptr) {
        return std::nullopt;
    }
    if (!value->is_string()) {
        bad("\"{}\" is a JSON {}, expected a string", key, value->type_name());
    }
    return value->get<std::string>();
}

std::string JsonRecord::text(const char * key) const {
    std::optional<std::string> found = optional_text(key);
    if (!found) {
        bad("\"{}\" is missing; expected {}", key, schema);
    }
    return std::move(*found);
}

bool JsonRecord::boolean(const char * key) const {
    const json * value = find_value(object, key);
    if (value == nullptr) {
        bad("\"{}\" is missing; expected {}", key, schema);
    }
    if (!value->is_boolean()) {
        bad("\"{}\" is a JSON {}, expected true or false", key, value->type_name());
    }
    return value->get<bool>();
}

std::optional<std::string> JsonRecord::optional_identifier(const char * key) const {
    const json * value = find_value(object, key);
    if (value == nullptr) {
        return std::nullopt;
    }
    if (value->is_number_integer()) {
        return value->dump();
    }
    if (!value->is_string()) {
        bad("\"{}\" is a JSON {}, expected a string or an integer", key, value->type_name());
    }
    if (is_blank(value->get_ref<const std::string &>())) {
        bad("\"{}\" is empty, expected an identifier", key);
    }
    return value->get<std::string>();
}

std::string JsonRecord::identifier(const char * key) const {
    std::optional<std::string> found = optional_identifier(key);
    if (!found) {
        bad("\"{}\" is missing; expected {}", key, schema);
    }
    return std::move(*found);
}

void for_each_json_record(std::string_view text, const std::string & name, std::string_view schema,
                          const OnJsonRecord & on_record) {
    text = without_byte_order_mark(text);
    if (trimmed(text).starts_with('[')) {
        for_each_array_record(text, name, schema, on_record);
    } else {
        for_each_line_record(text, name, schema, on_record);
    }
}

} // namespace valuelens
