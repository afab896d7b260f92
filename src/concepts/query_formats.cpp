#include "concepts/query_formats.h"

#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "base/utf8.h"
#include "concepts/json_lines.h"
#include "concepts/text_lines.h"

namespace valuelens {

using nlohmann::json;

namespace {

constexpr std::array text_keys = {"text", "query", "prompt", "user"};

constexpr std::string_view jsonl_schema = R"({"text" (or "query", "prompt", "user"), "id"?, "topic"?})";
constexpr std::string_view sharegpt_schema = R"({"id", "conversations": [{"from": "human", "value"}, ...]})";
constexpr std::string_view lmsys_schema =
    R"({"conversation_id", "conversation": [{"role": "user", "content"}, ...], "language"?})";
constexpr std::string_view value_portrait_schema = R"({"content": {"title", "text"}})";

void refuse_empty(const std::string & text, const JsonRecord & record, std::string_view what) {
    if (is_blank(text)) {
        record.bad("{} is empty, expected a query", what);
    }
}

RawQuery start_query(const JsonRecord & record) {
    RawQuery query;
    query.where = record.where;
    query.fallback_id = fmt::format("n{}", record.number);
    return query;
}

RawQuery parse_plain(const JsonRecord & record) {
    RawQuery query = start_query(record);
    const char * used = nullptr;
    for (const char * key : text_keys) {
        const std::optional<std::string> text = record.optional_text(key);
        if (text && used != nullptr) {
            record.bad("has both \"{}\" and \"{}\", so which one is the query is not clear; keep one", used, key);
        }
        if (text) {
            query.text = *text;
            used = key;
        }
    }
    if (used == nullptr) {
        record.bad("there is no query; expected {}", record.schema);
    }
    refuse_empty(query.text, record, fmt::format("\"{}\"", used));
    query.id = record.optional_identifier("id");
    query.topic = record.optional_text("topic").value_or("");
    return query;
}

/// The first turn whose `role_key` is one of the user's names, as text.
std::optional<std::string> first_user_turn(const JsonRecord & record, const char * list_key, const char * role_key,
                                           const char * text_key) {
    const auto turns = record.object.find(list_key);
    if (turns == record.object.end()) {
        record.bad("\"{}\" is missing; expected {}", list_key, record.schema);
    }
    if (!turns->is_array()) {
        record.bad("\"{}\" is a JSON {}, expected an array of turns", list_key, turns->type_name());
    }
    std::size_t number = 0;
    for (const json & turn : *turns) {
        if (!turn.is_object()) {
            record.bad("turn {} of \"{}\" is a JSON {}, expected {}", number, list_key, turn.type_name(),
                       record.schema);
        }
        const JsonRecord turn_record{turn, fmt::format("{}: turn {} of \"{}\"", record.where, number, list_key), number,
                                     record.schema};
        const std::string role = turn_record.text(role_key);
        if (role == "user" || role == "human") {
            std::string text = turn_record.text(text_key);
            refuse_empty(text, turn_record, fmt::format("\"{}\"", text_key));
            return text;
        }
        ++number;
    }
    return std::nullopt;
}

RawQuery parse_conversation(const JsonRecord & record, const char * id_key, const char * list_key,
                            const char * role_key, const char * text_key) {
    RawQuery query = start_query(record);
    const std::optional<std::string> text = first_user_turn(record, list_key, role_key, text_key);
    query.has_user_turn = text.has_value();
    query.text = text.value_or("");
    query.id = record.optional_identifier(id_key);
    return query;
}

RawQuery parse_sharegpt(const JsonRecord & record) {
    return parse_conversation(record, "id", "conversations", "from", "value");
}

RawQuery parse_lmsys(const JsonRecord & record) {
    RawQuery query = parse_conversation(record, "conversation_id", "conversation", "role", "content");
    query.language = record.optional_text("language");
    return query;
}

void read_text(std::string_view text, const std::string & name, const OnRawQuery & on_query) {
    for_each_text_line(text, [&](std::string_view line, std::size_t number) {
        RawQuery query;
        query.where = fmt::format("{}:{}", name, number);
        if (!is_valid_utf8(line)) {
            fail(ErrorKind::bad_input, "{}: is not valid UTF-8; save the file as UTF-8", query.where);
        }
        if (is_blank(line)) {
            return;
        }
        query.fallback_id = fmt::format("n{}", number);
        query.text = trimmed(line);
        on_query(std::move(query));
    });
}

} // namespace

RawQuery parse_value_portrait(const JsonRecord & record) {
    RawQuery query = start_query(record);
    const auto content = record.object.find("content");
    if (content == record.object.end() || !content->is_object()) {
        record.bad("\"content\" is missing or no object; expected {}", record.schema);
    }
    const JsonRecord inner{*content, record.where + ": \"content\"", record.number, record.schema};
    const std::string text = inner.text("text");
    refuse_empty(text, inner, "\"text\"");
    const std::string title = inner.optional_text("title").value_or("");
    query.text = is_blank(title) ? text : title + "\n\n" + text;

    // The tagged file has the id at the top, the query files in "extra".
    query.id = record.optional_identifier("portrait_id");
    const auto extra = record.object.find("extra");
    if (!query.id && extra != record.object.end() && extra->is_object()) {
        const JsonRecord inner_extra{*extra, record.where + ": \"extra\"", record.number, record.schema};
        query.id = inner_extra.optional_identifier("portrait_id");
    }
    query.topic = record.optional_text("data_source").value_or("");
    return query;
}

QueryFormat detect_query_format(std::string_view text, const std::string & name) {
    const std::string extension = std::filesystem::path(name).extension().string();
    if (extension == ".txt") {
        return QueryFormat::text;
    }
    const std::string_view start = trimmed(without_byte_order_mark(text)).substr(0, 1);
    if (start != "{" && start != "[") {
        if (extension == ".json" || extension == ".jsonl") {
            fail(ErrorKind::bad_input, "{}: {}", name,
                 start.empty() ? "is empty, expected queries" : "is not JSON, expected an object or an array first");
        }
        return QueryFormat::text;
    }
    struct Found {
        QueryFormat format;
    };
    try {
        for_each_json_record(text, name, "a query in one of the known formats", [&](const JsonRecord & record) {
            const json & object = record.object;
            if (object.contains("conversations")) {
                throw Found{QueryFormat::sharegpt};
            }
            if (object.contains("conversation")) {
                throw Found{QueryFormat::lmsys};
            }
            for (const char * key : text_keys) {
                if (object.contains(key)) {
                    throw Found{QueryFormat::jsonl};
                }
            }
            if (object.contains("content")) {
                throw Found{QueryFormat::value_portrait};
            }
            record.bad("fits no known format of queries; expected {}, {}, {} or {}", jsonl_schema, sharegpt_schema,
                       lmsys_schema, value_portrait_schema);
        });
    } catch (const Found & found) { // the first record is enough
        return found.format;
    }
    fail(ErrorKind::internal, "{}: has no first record", name);
}

void read_queries(std::string_view text, const std::string & name, QueryFormat format, const OnRawQuery & on_query) {
    const auto read_with = [&](std::string_view schema, RawQuery (*parse)(const JsonRecord &)) {
        for_each_json_record(text, name, schema, [&](const JsonRecord & record) { on_query(parse(record)); });
    };
    switch (format) {
    case QueryFormat::jsonl:
        return read_with(jsonl_schema, parse_plain);
    case QueryFormat::sharegpt:
        return read_with(sharegpt_schema, parse_sharegpt);
    case QueryFormat::lmsys:
        return read_with(lmsys_schema, parse_lmsys);
    case QueryFormat::value_portrait:
        return read_with(value_portrait_schema, parse_value_portrait);
    case QueryFormat::text:
        return read_text(text, name, on_query);
    case QueryFormat::detect:
        break;
    }
    fail(ErrorKind::internal, "{}: the format of the queries was not detected first", name);
}

} // namespace valuelens
