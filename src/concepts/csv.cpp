#include "concepts/csv.h"

#include <algorithm>

#include "base/fail.h"
#include "base/utf8.h"
#include "concepts/text_lines.h"

namespace valuelens {

namespace {

class CsvReader {
public:
    CsvReader(std::string_view text, const std::string & name) : rest_(text), name_(name) {}

    bool at_end() const { return rest_.empty(); }

    /// Takes a record off the text, and the line break after it.
    CsvRow take_row() {
        CsvRow row{{}, line_};
        do {
            row.cells.push_back(rest_.starts_with('"') ? take_quoted() : take_plain());
        } while (take(","));
        if (!at_end() && !take_line_break()) {
            fail(ErrorKind::bad_input,
                 "{}:{}: there is text after the closing quote of cell {}; expected a comma or a line break (a quote "
                 "inside a quoted cell is written \"\")",
                 name_, line_, row.cells.size());
        }
        return row;
    }

private:
    bool take(std::string_view token) {
        if (!rest_.starts_with(token)) {
            return false;
        }
        rest_.remove_prefix(token.size());
        return true;
    }

    bool take_line_break() {
        const bool taken = take("\n") || take("\r\n");
        line_ += taken ? 1 : 0;
        return taken;
    }

    std::string take_plain() {
        std::size_t end = std::min(rest_.find_first_of(",\n"), rest_.size());
        if (end > 0 && end < rest_.size() && rest_[end] == '\n' && rest_[end - 1] == '\r') {
            --end;
        }
        std::string cell(rest_.substr(0, end));
        if (cell.find('"') != std::string::npos) {
            fail(
                ErrorKind::bad_input,
                "{}:{}: there is a quote inside the unquoted cell `{}`; write the cell in quotes and the quote as \"\"",
                name_, line_, cell);
        }
        rest_.remove_prefix(end);
        return cell;
    }

    std::string take_quoted() {
        const std::size_t opened = line_;
        std::string cell;
        do {
            rest_.remove_prefix(1);
            const std::size_t end = rest_.find('"');
            if (end == std::string_view::npos) {
                fail(ErrorKind::bad_input, "{}:{}: the quote that opens here is never closed", name_, opened);
            }
            const std::string_view part = rest_.substr(0, end);
            line_ += static_cast<std::size_t>(std::count(part.begin(), part.end(), '\n'));
            cell += part;
            rest_.remove_prefix(end + 1);
            if (rest_.starts_with('"')) {
                cell += '"';
            }
        } while (rest_.starts_with('"'));
        return cell;
    }

    std::string_view rest_;
    const std::string & name_;
    std::size_t line_ = 1;
};

} // namespace

void for_each_csv_row(std::string_view text, const std::string & name, const std::function<void(CsvRow &&)> & on_row) {
    CsvReader reader(without_byte_order_mark(text), name);
    while (!reader.at_end()) {
        CsvRow row = reader.take_row();
        if (row.cells.size() == 1 && row.cells[0].empty()) {
            continue;
        }
        if (!std::all_of(row.cells.begin(), row.cells.end(), [](const auto & cell) { return is_valid_utf8(cell); })) {
            fail(ErrorKind::bad_input, "{}:{}: is not valid UTF-8; save the file as UTF-8", name, row.line);
        }
        on_row(std::move(row));
    }
}

} // namespace valuelens
