#pragma once

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace valuelens {

/// The column names of a CSV file.
struct CsvHeader {
    std::vector<std::string> names;
    std::string where; ///< "file:1", for errors

    /// The first column that has one of the names, compared without case and outer spaces.
    std::optional<std::size_t> find(std::initializer_list<std::string_view> wanted) const;
    /// The same. Throws Error(bad_input) where there is none.
    std::size_t need(std::initializer_list<std::string_view> wanted) const;
};

/// Reads a CSV text whose first record names the columns: `on_header` once, then `on_record(cells, where)` for each
/// other record. Throws Error(bad_input) with file:line for broken CSV (concepts/csv.h), a record that has not as many
/// cells as the header, and a text without records.
void for_each_csv_record(
    std::string_view text, const std::string & name, const std::function<void(const CsvHeader &)> & on_header,
    const std::function<void(const std::vector<std::string> & cells, const std::string & where)> & on_record);

} // namespace valuelens
