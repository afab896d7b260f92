#include "store/run_db.h"

#include <sqlite3.h>
#include <unistd.h>

#include <bit>
#include <cstring>

#include "base/fail.h"
#include "store/run_db_impl.h"

namespace valuelens {

static_assert(std::endian::native == std::endian::little, "token blobs are little-endian");

namespace {

constexpr int schema_version = 1;
constexpr int application_id = 0x764c656e; // "vLen": tells a run from any other SQLite file

constexpr const char * schema = R"sql(
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE concepts(
    position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, definition TEXT NOT NULL,
    short_name TEXT NOT NULL, domain TEXT NOT NULL, angle REAL, wedge REAL);
CREATE TABLE queries(position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, text TEXT NOT NULL, topic TEXT NOT NULL);
CREATE TABLE templates(position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, text TEXT NOT NULL);
CREATE TABLE slices(
    slice INTEGER PRIMARY KEY, n INTEGER NOT NULL, first_position INTEGER NOT NULL, shard TEXT, shard_sha256 TEXT,
    stats TEXT NOT NULL);
CREATE TABLE responses(
    id TEXT PRIMARY KEY, position INTEGER NOT NULL UNIQUE,
    slice INTEGER NOT NULL REFERENCES slices(slice) ON DELETE CASCADE,
    query_id TEXT NOT NULL, condition TEXT NOT NULL CHECK(condition IN ('intrinsic', 'prompted')),
    value_id TEXT, template_id TEXT, system TEXT NOT NULL, prompt TEXT NOT NULL, prompt_tokens BLOB NOT NULL,
    text TEXT NOT NULL, tokens BLOB NOT NULL, logprob_sum REAL NOT NULL, finish TEXT NOT NULL);
CREATE INDEX responses_by_slice ON responses(slice, position);
CREATE TABLE judge_slices(slice INTEGER PRIMARY KEY REFERENCES slices(slice) ON DELETE CASCADE);
CREATE TABLE labels(
    response_id TEXT NOT NULL REFERENCES responses(id) ON DELETE CASCADE, value_id TEXT NOT NULL,
    probability REAL, expresses INTEGER, PRIMARY KEY(response_id, value_id)) WITHOUT ROWID;
CREATE TABLE dropped(
    id INTEGER PRIMARY KEY, stage TEXT NOT NULL, item TEXT NOT NULL, reason TEXT NOT NULL,
    slice INTEGER REFERENCES slices(slice) ON DELETE CASCADE);
CREATE TABLE stage_log(
    id INTEGER PRIMARY KEY, stage TEXT NOT NULL, event TEXT NOT NULL, detail TEXT NOT NULL,
    at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')));
)sql";

// Written out here because this layer stands below the one that parses records.
const char * condition_text(Condition condition) {
    return condition == Condition::intrinsic ? "intrinsic" : "prompted";
}

std::optional<std::string> text_column(SQLite::Statement & row, int column) {
    const SQLite::Column value = row.getColumn(column);
    return value.isNull() ? std::nullopt : std::optional(value.getString());
}

std::vector<std::int32_t> token_column(SQLite::Statement & row, int column) {
    const SQLite::Column value = row.getColumn(column);
    std::vector<std::int32_t> tokens(static_cast<std::size_t>(value.getBytes()) / sizeof(std::int32_t));
    if (!tokens.empty()) {
        std::memcpy(tokens.data(), value.getBlob(), tokens.size() * sizeof(std::int32_t));
    }
    return tokens;
}

void bind_optional(SQLite::Statement & statement, int index, const std::optional<std::string> & text) {
    if (text) {
        statement.bind(index, *text);
    } else {
        statement.bind(index);
    }
}

void bind_tokens(SQLite::Statement & statement, int index, const std::vector<std::int32_t> & tokens) {
    // An empty blob needs an address too: a null one would be stored as NULL.
    const void * data = tokens.empty() ? static_cast<const void *>("") : tokens.data();
    statement.bind(index, data, static_cast<int>(tokens.size() * sizeof(std::int32_t)));
}

void run(SQLite::Statement & statement) {
    statement.exec();
    statement.reset();
}

} // namespace

Condition condition_column(SQLite::Statement & row, int column) {
    return row.getColumn(column).getString() == "intrinsic" ? Condition::intrinsic : Condition::prompted;
}

std::string read_only_uri(const std::filesystem::path & file) {
    std::string uri = "file:";
    for (const char letter : file.string()) {
        if (letter == '%' || letter == '?' || letter == '#') {
            uri += fmt::format("%{:02X}", static_cast<unsigned>(letter));
        } else {
            uri += letter;
        }
    }
    // A database with a write-ahead log wants to make files beside it. Where it cannot, and nothing is pending in the
    // log, it can be read as it lies there.
    const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
    std::error_code none;
    const bool log_is_empty = std::filesystem::file_size(file.string() + "-wal", none) == 0 || none;
    const bool fixed = log_is_empty && ::access(folder.c_str(), W_OK) != 0;
    return uri + (fixed ? "?mode=ro&immutable=1" : "?mode=ro");
}

SQLite::Database RunDb::Impl::open(const std::filesystem::path & file, RunDbMode mode) {
    std::error_code ignored;
    if (mode != RunDbMode::create && !std::filesystem::exists(file, ignored)) {
        fail(ErrorKind::bad_input, "{}: there is no run here; start one with 'valuelens run' or check --run",
             file.string());
    }
    const int flags = mode == RunDbMode::read_only  ? SQLite::OPEN_READONLY
                      : mode == RunDbMode::existing ? SQLite::OPEN_READWRITE
                                                    : SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE;
    constexpr int busy_timeout_ms = 10000;
    try {
        // An absolute path cannot be mistaken for a URI.
        const std::string name =
            mode == RunDbMode::read_only ? read_only_uri(file) : std::filesystem::absolute(file).string();
        return SQLite::Database(name, flags | SQLite::OPEN_URI, busy_timeout_ms);
    } catch (const SQLite::Exception & error) {
        fail(ErrorKind::bad_input,
             "{}: cannot be opened ({}); check that the folder can be written and the disk is not full", file.string(),
             error.what());
    }
}

RunDb::Impl::Impl(const std::filesystem::path & file, RunDbMode mode) : path(file), database(open(file, mode)) {
    guarded([&] { prepare_schema(mode); });
}

void RunDb::Impl::prepare_schema(RunDbMode mode) {
    const int tables = database.execAndGet("SELECT count(*) FROM sqlite_master").getInt();
    const int version = database.execAndGet("PRAGMA user_version").getInt();
    const int application = database.execAndGet("PRAGMA application_id").getInt();
    const bool fresh = tables == 0 && version == 0 && mode == RunDbMode::create;
    if (!fresh && application != application_id) {
        fail(ErrorKind::bad_input, "{}: is not the database of a valuelens run", path.string());
    }
    if (version > schema_version) {
        fail(ErrorKind::bad_input,
             "{}: was written by a newer valuelens (schema {}, this one knows {}); use that version for this run",
             path.string(), version, schema_version);
    }
    database.exec("PRAGMA foreign_keys = ON");
    if (mode == RunDbMode::read_only) {
        return;
    }
    database.exec("PRAGMA journal_mode = WAL");
    database.exec("PRAGMA synchronous = FULL");
    if (fresh) {
        SQLite::Transaction whole(database, SQLite::TransactionBehavior::IMMEDIATE);
        // Another process may have made the schema since it was looked at.
        if (database.execAndGet("PRAGMA user_version").getInt() == 0) {
            database.exec(schema);
            database.exec(fmt::format("PRAGMA application_id = {}", application_id));
            database.exec(fmt::format("PRAGMA user_version = {}", schema_version));
        }
        whole.commit();
    }
}

void RunDb::Impl::fail_sqlite(const SQLite::Exception & error) const {
    switch (error.getErrorCode()) {
    case SQLITE_FULL:
        fail(ErrorKind::bad_input, "{}: the disk is full; free some space and run the same command again",
             path.string());
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        fail(ErrorKind::bad_input, "{}: is locked by another process; wait for it and run the same command again",
             path.string());
    case SQLITE_READONLY:
        fail(ErrorKind::bad_input, "{}: cannot be written (read-only file, folder or disk)", path.string());
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        fail(ErrorKind::bad_input,
             "{}: cannot be read or written ({}); check that the disk is sound and not full, and run the same command "
             "again",
             path.string(), error.what());
    case SQLITE_NOTADB:
        fail(ErrorKind::bad_input, "{}: is not a database; the file is damaged or not a valuelens run", path.string());
    case SQLITE_CORRUPT:
        fail(ErrorKind::bad_input, "{}: the database is damaged ({}); restore it or start a new run", path.string(),
             error.what());
    case SQLITE_CONSTRAINT:
        fail(ErrorKind::internal, "{}: an item contradicts what the run already holds ({})", path.string(),
             error.what());
    default:
        fail(ErrorKind::bad_input, "{}: the database failed ({})", path.string(), error.what());
    }
}

std::size_t RunDb::Impl::count(const char * sql) const {
    return static_cast<std::size_t>(database.execAndGet(sql).getInt64());
}

void RunDb::Impl::insert_dropped(std::span<const DroppedRow> rows, std::optional<std::size_t> slice) {
    SQLite::Statement insert = prepare("INSERT INTO dropped(stage, item, reason, slice) VALUES(?, ?, ?, ?)");
    for (const DroppedRow & row : rows) {
        insert.bind(1, row.stage);
        insert.bind(2, row.item);
        insert.bind(3, row.reason);
        if (slice) {
            insert.bind(4, to_sql(*slice));
        } else {
            insert.bind(4);
        }
        run(insert);
    }
}

RunDb::RunDb(const std::filesystem::path & path, RunDbMode mode) : impl_(std::make_unique<Impl>(path, mode)) {}
RunDb::~RunDb() = default;
RunDb::RunDb(RunDb &&) noexcept = default;

const std::filesystem::path & RunDb::path() const {
    return impl_->path;
}

void RunDb::commit_slice(const SliceRow & slice, std::span<const ResponseRow> responses,
                         std::span<const DroppedRow> dropped_rows, const std::vector<LabelRow> * labels) {
    impl_->transaction([&] {
        SQLite::Statement insert_slice = impl_->prepare("INSERT INTO slices VALUES(?, ?, ?, ?, ?, ?)");
        insert_slice.bind(1, to_sql(slice.slice));
        insert_slice.bind(2, to_sql(slice.n));
        insert_slice.bind(3, to_sql(slice.first_position));
        bind_optional(insert_slice, 4, slice.shard);
        bind_optional(insert_slice, 5, slice.shard_sha256);
        insert_slice.bind(6, slice.stats);
        run(insert_slice);

        SQLite::Statement insert =
            impl_->prepare("INSERT INTO responses VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
        for (const ResponseRow & row : responses) {
            insert.bind(1, row.id);
            insert.bind(2, to_sql(row.position));
            insert.bind(3, to_sql(slice.slice));
            insert.bind(4, row.query_id);
            insert.bind(5, condition_text(row.condition));
            bind_optional(insert, 6, row.value_id);
            bind_optional(insert, 7, row.template_id);
            insert.bind(8, row.system);
            insert.bind(9, row.prompt);
            bind_tokens(insert, 10, row.prompt_tokens);
            insert.bind(11, row.text);
            bind_tokens(insert, 12, row.tokens);
            insert.bind(13, row.logprob_sum);
            insert.bind(14, row.finish);
            run(insert);
        }
        impl_->insert_dropped(dropped_rows, slice.slice);
        if (labels != nullptr) {
            impl_->insert_labels(slice.slice, *labels);
        }
    });
}

std::vector<SliceRow> RunDb::slices() const {
    return impl_->guarded([&] {
        std::vector<SliceRow> rows;
        SQLite::Statement select =
            impl_->prepare("SELECT slice, n, first_position, shard, shard_sha256, stats FROM slices ORDER BY slice");
        while (select.executeStep()) {
            rows.push_back({size_column(select, 0), size_column(select, 1), size_column(select, 2),
                            text_column(select, 3), text_column(select, 4), select.getColumn(5).getString()});
        }
        return rows;
    });
}

std::set<std::size_t> RunDb::finished_slices() const {
    std::set<std::size_t> result;
    for (const SliceRow & row : slices()) {
        result.insert(row.slice);
    }
    return result;
}

void RunDb::remove_slice(std::size_t slice) {
    impl_->transaction([&] {
        SQLite::Statement remove = impl_->prepare("DELETE FROM slices WHERE slice = ?");
        remove.bind(1, to_sql(slice));
        remove.exec();
    });
}

void RunDb::for_each_response(std::optional<std::size_t> slice,
                              const std::function<void(const ResponseRow &)> & row) const {
    impl_->guarded([&] {
        SQLite::Statement select =
            impl_->prepare(slice ? "SELECT id, position, slice, query_id, condition, value_id, template_id, system, "
                                   "prompt, prompt_tokens, text, "
                                   "tokens, logprob_sum, finish FROM responses WHERE slice = ? ORDER BY position"
                                 : "SELECT id, position, slice, query_id, condition, value_id, template_id, system, "
                                   "prompt, prompt_tokens, text, "
                                   "tokens, logprob_sum, finish FROM responses ORDER BY position");
        if (slice) {
            select.bind(1, to_sql(*slice));
        }
        while (select.executeStep()) {
            ResponseRow response;
            response.id = select.getColumn(0).getString();
            response.position = size_column(select, 1);
            response.slice = size_column(select, 2);
            response.query_id = select.getColumn(3).getString();
            response.condition = condition_column(select, 4);
            response.value_id = text_column(select, 5);
            response.template_id = text_column(select, 6);
            response.system = select.getColumn(7).getString();
            response.prompt = select.getColumn(8).getString();
            response.prompt_tokens = token_column(select, 9);
            response.text = select.getColumn(10).getString();
            response.tokens = token_column(select, 11);
            response.logprob_sum = select.getColumn(12).getDouble();
            response.finish = select.getColumn(13).getString();
            row(response);
        }
    });
}

} // namespace valuelens
