#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace valuelens {

/// A user's query, put to the model once under an empty system prompt and once for each value.
struct Query {
    std::string id; ///< unique in its set
    std::string text;
    std::string topic; ///< empty where the source has none
};

enum class QueryFormat {
    detect,         ///< by file name and contents
    jsonl,          ///< one object a line: {"text"|"query"|"prompt"|"user", "id"?, "topic"?}
    sharegpt,       ///< ShareGPT JSON: [{"id", "conversations": [{"from": "human", "value"}]}]
    lmsys,          ///< LMSYS-Chat-1M JSONL: {"conversation_id", "conversation": [{"role", "content"}], "language"?}
    text,           ///< one query a line; empty lines are skipped
    value_portrait, ///< Value Portrait query-*.json and query-response-tagged.json: {"content": {"title", "text"}}
};

/// "jsonl", "value_portrait", ..., as a run's config writes them.
const std::string & query_format_name(QueryFormat format);

/// Nothing where no format has this name.
std::optional<QueryFormat> query_format_named(const std::string & name);

struct QueryOptions {
    QueryFormat format = QueryFormat::detect;
    std::size_t limit = 0; ///< keep at most so many; 0 keeps all
    bool sample = false;   ///< true: a seeded sample of `limit`; false: the first `limit`
    std::uint64_t seed = 0;
    std::string language; ///< LMSYS only: keep conversations of this language; empty keeps all
};

/// Queries, with what was left out and why (duplicates, non-matching languages, ...).
struct QuerySet {
    std::vector<Query> queries;
    std::size_t duplicates = 0;               ///< dropped: the same text again
    std::size_t filtered = 0;                 ///< dropped by `language`
    std::size_t without_user = 0;             ///< dropped: conversations that have no user turn
    QueryFormat format = QueryFormat::detect; ///< as which they were read; never `detect` once they are
};

/// The shipped everyday queries.
QuerySet shipped_queries(const QueryOptions & options = {});

/// Loads queries. The first user turn of a conversation is the query. An empty query, a broken line or a missing
/// field is an Error(bad_input) with file:line.
QuerySet load_queries(const std::filesystem::path & path, const QueryOptions & options = {});

} // namespace valuelens
