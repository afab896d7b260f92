#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/fail.h"

namespace valuelens {

/// One JSON object of a file, with the words that say where it stood. The getters throw Error(bad_input) with
/// a sentence such as `data.jsonl:12: "text" is missing; expected {"id", "text"}`.
struct JsonRecord {
    const nlohmann::json & object;
    std::string where;       ///< "file:12" or "file: element 3"
    std::size_t number;      ///< 1-based line, or 0-based element of an array
    std::string_view schema; ///< what a record should look like, for the sentences

    /// The string at `key`.
    std::string text(const char * key) const;
    /// The string at `key`; nothing where it is absent or null.
    std::optional<std::string> optional_text(const char * key) const;
    /// The truth value at `key`.
    bool boolean(const char * key) const;
    /// The identifier at `key`: a non-empty string, or an integer, which is written in decimal.
    std::optional<std::string> optional_identifier(const char * key) const;
    std::string identifier(const char * key) const;

    template <typename... Args>
    [[noreturn]] void bad(fmt::format_string<Args...> format, Args &&... args) const {
        fail(ErrorKind::bad_input, "{}: {}", where, fmt::format(format, std::forward<Args>(args)...));
    }
};

using OnJsonRecord = std::function<void(const JsonRecord &)>;

/// Calls `on_record` for each object of a JSONL text (blank lines are passed over) or, where the text starts with
/// '[', of a JSON array of objects. `name` is the file's name in errors. Throws Error(bad_input) for anything that is
/// not a JSON object, and where there is none at all.
void for_each_json_record(std::string_view text, const std::string & name, std::string_view schema,
                          const OnJsonRecord & on_record);

/// What nlohmann says about a text that is no JSON, without its prefix: "column 12: unexpected '}' ...".
std::string json_complaint(std::string_view text, std::size_t byte, std::string_view what);

} // namespace valuelens
