// The labels of the run database.

#include "base/fail.h"
#include "store/run_db_impl.h"

namespace valuelens {

namespace {

/// Columns `probability` and `expresses`, from `first` on.
void read_opinion(SQLite::Statement & row, int first, LabelRow & label) {
    if (!row.isColumnNull(first)) {
        label.probability = row.getColumn(first).getDouble();
    }
    if (!row.isColumnNull(first + 1)) {
        label.expresses = row.getColumn(first + 1).getInt() != 0;
    }
}

void bind_decision(SQLite::Statement & statement, int index, const std::optional<bool> & expresses) {
    if (expresses) {
        statement.bind(index, *expresses ? 1 : 0);
    } else {
        statement.bind(index);
    }
}

} // namespace

void RunDb::Impl::insert_labels(std::size_t slice, std::span<const LabelRow> rows) {
    SQLite::Statement finish = prepare("INSERT INTO judge_slices VALUES(?)");
    finish.bind(1, to_sql(slice));
    finish.exec();
    SQLite::Statement insert = prepare("INSERT INTO labels VALUES(?, ?, ?, ?)");
    for (const LabelRow & row : rows) {
        insert.bind(1, row.response_id);
        insert.bind(2, row.value_id);
        row.probability ? insert.bind(3, *row.probability) : insert.bind(3);
        bind_decision(insert, 4, row.expresses);
        insert.exec();
        insert.reset();
    }
}

void RunDb::commit_labels(std::size_t slice, std::span<const LabelRow> rows) {
    impl_->transaction([&] { impl_->insert_labels(slice, rows); });
}

void RunDb::decide_labels(const std::function<std::optional<bool>(const LabelRow &)> & decide) {
    const std::set<std::size_t> judged = finished_judge_slices();
    impl_->transaction([&] {
        SQLite::Statement select =
            impl_->prepare("SELECT l.response_id, l.value_id, l.probability, l.expresses FROM responses r "
                           "CROSS JOIN labels l ON l.response_id = r.id WHERE r.slice = ?");
        SQLite::Statement update =
            impl_->prepare("UPDATE labels SET expresses = ? WHERE response_id = ? AND value_id = ?");
        for (const std::size_t slice : judged) { // one at a time in memory
            std::vector<LabelRow> rows;
            select.bind(1, to_sql(slice));
            while (select.executeStep()) {
                LabelRow row{select.getColumn(0).getString(), select.getColumn(1).getString(), {}, {}};
                read_opinion(select, 2, row);
                rows.push_back(std::move(row));
            }
            select.reset();
            for (const LabelRow & row : rows) {
                bind_decision(update, 1, decide(row));
                update.bind(2, row.response_id);
                update.bind(3, row.value_id);
                update.exec();
                update.reset();
            }
        }
    });
}

std::set<std::size_t> RunDb::finished_judge_slices() const {
    return impl_->guarded([&] {
        std::set<std::size_t> result;
        SQLite::Statement select = impl_->prepare("SELECT slice FROM judge_slices");
        while (select.executeStep()) {
            result.insert(size_column(select, 0));
        }
        return result;
    });
}

void RunDb::for_each_label(const std::function<void(const StoredLabel &)> & label) const {
    impl_->guarded([&] {
        // CROSS JOIN: responses first, by their index of positions, so that nothing has to be sorted as a whole.
        SQLite::Statement select = impl_->prepare(
            "SELECT l.response_id, l.value_id, l.probability, l.expresses, r.query_id, r.condition, r.position "
            "FROM responses r CROSS JOIN labels l ON l.response_id = r.id LEFT JOIN concepts c ON c.id = l.value_id "
            "ORDER BY r.position, c.position, l.value_id");
        while (select.executeStep()) {
            StoredLabel row;
            row.label.response_id = select.getColumn(0).getString();
            row.label.value_id = select.getColumn(1).getString();
            read_opinion(select, 2, row.label);
            row.query_id = select.getColumn(4).getString();
            row.condition = condition_column(select, 5);
            row.position = size_column(select, 6);
            label(row);
        }
    });
}

std::vector<StoredLabel> RunDb::labels() const {
    std::vector<StoredLabel> rows;
    for_each_label([&](const StoredLabel & row) { rows.push_back(row); });
    return rows;
}

void RunDb::clear_labels(const std::map<std::string, std::string> & meta) {
    impl_->transaction([&] {
        impl_->database.exec("DELETE FROM labels");
        impl_->database.exec("DELETE FROM judge_slices");
        SQLite::Statement set = impl_->prepare("INSERT OR REPLACE INTO meta VALUES(?, ?)");
        for (const auto & [key, value] : meta) {
            set.bind(1, key);
            set.bind(2, value);
            set.exec();
            set.reset();
        }
    });
}

} // namespace valuelens
