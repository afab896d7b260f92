#include "concepts/csv_table.h"

#include <algorithm>

#include "base/fail.h"
#include "base/text.h"
#include "concepts/csv.h"
#include "concepts/dictionary.h"

namespace valuelens {

std::optional<std::size_t> CsvHeader::find(std::initializer_list<std::string_view> wanted) const {
    const auto found = std::find_if(names.begin(), names.end(), [&](const std::string & name) {
        return std::find(wanted.begin(), wanted.end(), lower_latin1(std::string(trimmed(name)))) != wanted.end();
    });
    if (found == names.end()) {
        return std::nullopt;
    }
    return static_cast<std::size_t>(found - names.begin());
}

std::size_t CsvHeader::need(std::initializer_list<std::string_view> wanted) const {
    const std::optional<std::size_t> found = find(wanted);
    if (!found) {
        fail(ErrorKind::bad_input, "{}: there is no column \"{}\"; the first line names the columns, here \"{}\"",
             where, fmt::join(wanted, "\" or \""), fmt::join(names, "\", \""));
    }
    return *found;
}

void for_each_csv_record(
    std::string_view text, const std::string & name, const std::function<void(const CsvHeader &)> & on_header,
    const std::function<void(const std::vector<std::string> & cells, const std::string & where)> & on_record) {
    std::size_t columns = 0;
    std::size_t records = 0;
    for_each_csv_row(text, name, [&](CsvRow && row) {
        const std::string where = fmt::format("{}:{}", name, row.line);
        if (columns == 0) {
            columns = row.cells.size();
            on_header(CsvHeader{std::move(row.cells), where});
            return;
        }
        if (row.cells.size() != columns) {
            fail(ErrorKind::bad_input, "{}: has {} cells, expected {} as in the first line", where, row.cells.size(),
                 columns);
        }
        on_record(row.cells, where);
        ++records;
    });
    if (records == 0) {
        fail(ErrorKind::bad_input, "{}: is empty, expected a line that names the columns, and records", name);
    }
}

} // namespace valuelens
