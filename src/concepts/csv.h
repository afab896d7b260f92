#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace valuelens {

/// One record of a CSV text.
struct CsvRow {
    std::vector<std::string> cells; ///< unquoted; line breaks inside are as in the text
    std::size_t line;               ///< 1-based line on which the record starts
};

/// Calls `on_row` for each record of a comma-separated text after RFC 4180: cells may stand in double quotes, in which
/// commas and line breaks are text and "" is a quote. Records end at \n or \r\n; lines without any character are passed
/// over, and so is a byte-order mark. Spaces are part of their cell. `name` is the file's name in errors. Throws
/// Error(bad_input) with file:line for a quote inside an unquoted cell, for text between a closing quote and the comma,
/// for a quote that is never closed, and for what is not UTF-8.
void for_each_csv_row(std::string_view text, const std::string & name, const std::function<void(CsvRow &&)> & on_row);

} // namespace valuelens
