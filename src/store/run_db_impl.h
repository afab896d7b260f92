#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include "store/run_db.h"

namespace valuelens {

/// The open database behind a RunDb; private to src/store.
struct RunDb::Impl {
    Impl(const std::filesystem::path & file, RunDbMode mode);

    /// Runs `work` and turns SQLite's exceptions into Error.
    template <typename Work>
    auto guarded(Work && work) const {
        try {
            return work();
        } catch (const SQLite::Exception & error) {
            fail_sqlite(error);
        }
    }

    /// Runs `work` in one transaction, rolled back when it throws.
    template <typename Work>
    void transaction(Work && work) {
        guarded([&] {
            SQLite::Transaction whole(database, SQLite::TransactionBehavior::IMMEDIATE);
            work();
            whole.commit();
        });
    }

    SQLite::Statement prepare(const char * sql) const { return SQLite::Statement(database, sql); }
    std::size_t count(const char * sql) const;
    void attach(const std::filesystem::path & other, const char * name);
    void insert_dropped(std::span<const DroppedRow> dropped, std::optional<std::size_t> slice);
    void insert_labels(std::size_t slice, std::span<const LabelRow> labels);

    std::filesystem::path path;
    mutable SQLite::Database database;

private:
    [[noreturn]] void fail_sqlite(const SQLite::Exception & error) const;
    static SQLite::Database open(const std::filesystem::path & file, RunDbMode mode);
    void prepare_schema(RunDbMode mode);
};

/// A file as SQLite's URI that never writes to it: for opening and attaching.
std::string read_only_uri(const std::filesystem::path & file);

Condition condition_column(SQLite::Statement & row, int column);

inline std::int64_t to_sql(std::size_t number) {
    return static_cast<std::int64_t>(number);
}
inline std::size_t size_column(SQLite::Statement & row, int column) {
    return static_cast<std::size_t>(row.getColumn(column).getInt64());
}

} // namespace valuelens
