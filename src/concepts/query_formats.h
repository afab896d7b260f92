#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "concepts/json_lines.h"
#include "valuelens/query.h"

namespace valuelens {

/// A query as its file has it.
struct RawQuery {
    std::optional<std::string> id; ///< the file's own
    std::string fallback_id;       ///< by place, for files without ids
    std::string text;
    std::string topic;
    std::optional<std::string> language; ///< LMSYS only
    std::string where;                   ///< "file:12", for errors
    bool has_user_turn = true;           ///< false: a conversation in which no user speaks; `text` is empty
};

/// The query of a Value Portrait record, `{"content": {"title", "text"}}`: the title, if there is one, stands before
/// the text.
RawQuery parse_value_portrait(const JsonRecord & record);

using OnRawQuery = std::function<void(RawQuery &&)>;

/// The format of a query file, by its contents; `.txt` files are always text. Throws Error(bad_input) for a `.json` or
/// `.jsonl` file whose first record fits none of the formats.
QueryFormat detect_query_format(std::string_view text, const std::string & name);

/// Reads every query of a text in one format (not `detect`). Throws Error(bad_input) for a broken record and an empty
/// query.
void read_queries(std::string_view text, const std::string & name, QueryFormat format, const OnRawQuery & on_query);

} // namespace valuelens
