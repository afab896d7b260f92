#pragma once

#include <toml++/toml.h>

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fail.h"

namespace valuelens {

/// Parses a TOML text. `file` is its name in errors. Throws Error(bad_input) with file:line.
toml::table parse_toml(std::string_view text, const std::string & file);

/// A table of a TOML file, read key by key; it refers to the parsed document. Every error is an Error(bad_input) that
/// names file, line and key.
class TomlTable {
public:
    /// `line` is where the table begins and `what` its name in errors ("a concept set").
    TomlTable(const toml::table & table, std::string file, std::size_t line, std::string what)
        : table_(&table), file_(std::move(file)), line_(line), what_(std::move(what)) {}

    template <typename... Args>
    [[noreturn]] void bad(std::size_t line, fmt::format_string<Args...> format, Args &&... args) const {
        fail(ErrorKind::bad_input, "{}:{}: {}", file_, line, fmt::format(format, std::forward<Args>(args)...));
    }

    void allow_only(std::initializer_list<std::string_view> keys) const;

    /// All keys, sorted.
    std::vector<std::string> keys() const;

    bool has(std::string_view key) const { return table_->contains(key); }

    /// The string at `key`, not blank; "" where the key is absent.
    std::string optional_text(std::string_view key) const;
    std::string text(std::string_view key) const;

    /// The finite number at `key`.
    std::optional<double> optional_degrees(std::string_view key) const;

    /// The whole number, at least 1, at `key`.
    std::size_t count(std::string_view key) const;

    /// The array of strings, none blank, at `key`.
    std::vector<std::string> texts(std::string_view key) const;

    /// The array of whole numbers, each at least 1, at `key`.
    std::vector<std::size_t> counts(std::string_view key) const;

    /// The table at `key`.
    TomlTable table(std::string_view key) const;

    /// The array of tables, one or more, at `key`.
    std::vector<TomlTable> tables(std::string_view key) const;

    std::size_t line() const { return line_; }
    /// Where the value of `key` begins; the table's own line where it is absent.
    std::size_t line_of(std::string_view key) const;

    const std::string & file() const { return file_; }

private:
    const toml::node & node(std::string_view key) const;
    const toml::array & array(std::string_view key) const;
    std::size_t checked_count(const toml::node & node, std::string_view key) const;

    const toml::table * table_;
    std::string file_;
    std::size_t line_;
    std::string what_;
};

} // namespace valuelens
