// The small tables of the run database: meta, inputs, drops, counts, stage log.

#include <algorithm>

#include "base/fail.h"
#include "store/run_db_impl.h"

namespace valuelens {

namespace {

bool same(const Concept & left, const Concept & right) {
    return left.id == right.id && left.name == right.name && left.definition == right.definition &&
           left.short_name == right.short_name && left.domain == right.domain && left.angle == right.angle &&
           left.wedge == right.wedge;
}

bool same(const Query & left, const Query & right) {
    return left.id == right.id && left.text == right.text && left.topic == right.topic;
}

bool same(const PromptTemplate & left, const PromptTemplate & right) {
    return left.id == right.id && left.text == right.text;
}

template <typename Item>
void require_same(std::span<const Item> given, const std::vector<Item> & held, const char * what,
                  const std::filesystem::path & path) {
    const bool equal = std::equal(given.begin(), given.end(), held.begin(), held.end(),
                                  [](const Item & left, const Item & right) { return same(left, right); });
    if (!equal) {
        fail(ErrorKind::usage,
             "{}: the run was started with other {} ({}, now {}); restore them or choose another --run", path.string(),
             what, held.size(), given.size());
    }
}

void bind_number(SQLite::Statement & statement, int index, const std::optional<double> & number) {
    if (number) {
        statement.bind(index, *number);
    } else {
        statement.bind(index);
    }
}

std::optional<double> number_column(SQLite::Statement & row, int column) {
    const SQLite::Column value = row.getColumn(column);
    return value.isNull() ? std::nullopt : std::optional(value.getDouble());
}

constexpr const char * set_name_key = "concept_set.name";
constexpr const char * set_title_key = "concept_set.title";
constexpr const char * set_source_key = "concept_set.source";

void put_meta(SQLite::Database & database, const std::string & key, const std::string & value) {
    SQLite::Statement insert(database,
                             "INSERT INTO meta VALUES(?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value");
    insert.bind(1, key);
    insert.bind(2, value);
    insert.exec();
}

} // namespace

std::optional<std::string> RunDb::meta(const std::string & key) const {
    return impl_->guarded([&]() -> std::optional<std::string> {
        SQLite::Statement select = impl_->prepare("SELECT value FROM meta WHERE key = ?");
        select.bind(1, key);
        return select.executeStep() ? std::optional(select.getColumn(0).getString()) : std::nullopt;
    });
}

std::map<std::string, std::string> RunDb::all_meta() const {
    return impl_->guarded([&] {
        std::map<std::string, std::string> result;
        SQLite::Statement select = impl_->prepare("SELECT key, value FROM meta");
        while (select.executeStep()) {
            result[select.getColumn(0).getString()] = select.getColumn(1).getString();
        }
        return result;
    });
}

void RunDb::set_meta(const std::string & key, const std::string & value) {
    impl_->transaction([&] { put_meta(impl_->database, key, value); });
}

bool RunDb::has_inputs() const {
    return impl_->guarded([&] { return impl_->count("SELECT count(*) FROM queries") > 0; });
}

void RunDb::store_inputs(const ConceptSet & concept_set, std::span<const Query> query_list,
                         std::span<const PromptTemplate> template_list) {
    if (has_inputs()) {
        require_same<Concept>(concept_set.concepts, concepts().concepts, "concepts", path());
        require_same<Query>(query_list, queries(), "queries", path());
        require_same<PromptTemplate>(template_list, templates(), "templates", path());
        return;
    }
    impl_->transaction([&] {
        put_meta(impl_->database, set_name_key, concept_set.name);
        put_meta(impl_->database, set_title_key, concept_set.title);
        put_meta(impl_->database, set_source_key, concept_set.source);

        SQLite::Statement concept_row = impl_->prepare("INSERT INTO concepts VALUES(?, ?, ?, ?, ?, ?, ?, ?)");
        for (std::size_t i = 0; i < concept_set.concepts.size(); ++i) {
            const Concept & item = concept_set.concepts[i];
            concept_row.bind(1, to_sql(i));
            concept_row.bind(2, item.id);
            concept_row.bind(3, item.name);
            concept_row.bind(4, item.definition);
            concept_row.bind(5, item.short_name);
            concept_row.bind(6, item.domain);
            bind_number(concept_row, 7, item.angle);
            bind_number(concept_row, 8, item.wedge);
            concept_row.exec();
            concept_row.reset();
        }
        SQLite::Statement query_row = impl_->prepare("INSERT INTO queries VALUES(?, ?, ?, ?)");
        for (std::size_t i = 0; i < query_list.size(); ++i) {
            query_row.bind(1, to_sql(i));
            query_row.bind(2, query_list[i].id);
            query_row.bind(3, query_list[i].text);
            query_row.bind(4, query_list[i].topic);
            query_row.exec();
            query_row.reset();
        }
        SQLite::Statement template_row = impl_->prepare("INSERT INTO templates VALUES(?, ?, ?)");
        for (std::size_t i = 0; i < template_list.size(); ++i) {
            template_row.bind(1, to_sql(i));
            template_row.bind(2, template_list[i].id);
            template_row.bind(3, template_list[i].text);
            template_row.exec();
            template_row.reset();
        }
    });
}

ConceptSet RunDb::concepts() const {
    ConceptSet result;
    result.name = meta(set_name_key).value_or("");
    result.title = meta(set_title_key).value_or("");
    result.source = meta(set_source_key).value_or("");
    impl_->guarded([&] {
        SQLite::Statement select = impl_->prepare(
            "SELECT id, name, definition, short_name, domain, angle, wedge FROM concepts ORDER BY position");
        while (select.executeStep()) {
            result.concepts.push_back({select.getColumn(0).getString(), select.getColumn(1).getString(),
                                       select.getColumn(2).getString(), select.getColumn(3).getString(),
                                       select.getColumn(4).getString(), number_column(select, 5),
                                       number_column(select, 6)});
        }
    });
    return result;
}

std::vector<Query> RunDb::queries() const {
    return impl_->guarded([&] {
        std::vector<Query> result;
        SQLite::Statement select = impl_->prepare("SELECT id, text, topic FROM queries ORDER BY position");
        while (select.executeStep()) {
            result.push_back(
                {select.getColumn(0).getString(), select.getColumn(1).getString(), select.getColumn(2).getString()});
        }
        return result;
    });
}

std::vector<PromptTemplate> RunDb::templates() const {
    return impl_->guarded([&] {
        std::vector<PromptTemplate> result;
        SQLite::Statement select = impl_->prepare("SELECT id, text FROM templates ORDER BY position");
        while (select.executeStep()) {
            result.push_back({select.getColumn(0).getString(), select.getColumn(1).getString()});
        }
        return result;
    });
}

void RunDb::add_dropped(std::span<const DroppedRow> rows) {
    impl_->transaction([&] { impl_->insert_dropped(rows, std::nullopt); });
}

std::vector<DroppedRow> RunDb::dropped() const {
    return impl_->guarded([&] {
        std::vector<DroppedRow> rows;
        SQLite::Statement select = impl_->prepare("SELECT stage, item, reason FROM dropped ORDER BY stage, slice, id");
        while (select.executeStep()) {
            rows.push_back(
                {select.getColumn(0).getString(), select.getColumn(1).getString(), select.getColumn(2).getString()});
        }
        return rows;
    });
}

void RunDb::Impl::attach(const std::filesystem::path & other, const char * name) {
    SQLite::Statement attach = prepare("ATTACH DATABASE ? AS ?");
    attach.bind(1, read_only_uri(other));
    attach.bind(2, name);
    attach.exec();
}

void RunDb::import_slices(const RunDb & other) {
    impl_->guarded([&] { impl_->attach(other.path(), "other"); });
    const auto detach = [&] {
        impl_->guarded([&] { impl_->database.exec("DETACH DATABASE other"); });
    };
    try {
        impl_->transaction([&] {
            impl_->database.exec("INSERT INTO main.slices SELECT * FROM other.slices ORDER BY slice");
            impl_->database.exec("INSERT INTO main.responses SELECT * FROM other.responses ORDER BY position");
            impl_->database.exec("INSERT INTO main.judge_slices SELECT * FROM other.judge_slices ORDER BY slice");
            impl_->database.exec("INSERT INTO main.labels SELECT * FROM other.labels ORDER BY response_id, value_id");
            impl_->database.exec("INSERT INTO main.dropped(stage, item, reason, slice) "
                                 "SELECT stage, item, reason, slice FROM other.dropped ORDER BY id");
        });
    } catch (const Error &) {
        detach();
        throw;
    }
    detach();
}

RunCounts RunDb::counts() const {
    return impl_->guarded([&] {
        RunCounts result;
        result.concepts = impl_->count("SELECT count(*) FROM concepts");
        result.queries = impl_->count("SELECT count(*) FROM queries");
        result.templates = impl_->count("SELECT count(*) FROM templates");
        result.slices = impl_->count("SELECT count(*) FROM slices");
        result.judge_slices = impl_->count("SELECT count(*) FROM judge_slices");
        result.intrinsic = impl_->count("SELECT count(*) FROM responses WHERE condition = 'intrinsic'");
        result.prompted = impl_->count("SELECT count(*) FROM responses WHERE condition = 'prompted'");
        result.labels = impl_->count("SELECT count(*) FROM labels");
        result.expressing = impl_->count("SELECT count(*) FROM labels WHERE expresses = 1");
        result.not_expressing = impl_->count("SELECT count(*) FROM labels WHERE expresses = 0");
        result.undecided =
            impl_->count("SELECT count(*) FROM labels WHERE expresses IS NULL AND probability IS NOT NULL");
        result.no_opinion = impl_->count("SELECT count(*) FROM labels WHERE expresses IS NULL AND probability IS NULL");
        SQLite::Statement select =
            impl_->prepare("SELECT stage, reason, count(*) FROM dropped GROUP BY stage, reason ORDER BY stage, reason");
        while (select.executeStep()) {
            result.dropped.push_back(
                {select.getColumn(0).getString(), select.getColumn(1).getString(), size_column(select, 2)});
        }
        return result;
    });
}

void RunDb::log_stage(const std::string & stage, const std::string & event, const std::string & detail) {
    impl_->transaction([&] {
        SQLite::Statement insert = impl_->prepare("INSERT INTO stage_log(stage, event, detail) VALUES(?, ?, ?)");
        insert.bind(1, stage);
        insert.bind(2, event);
        insert.bind(3, detail);
        insert.exec();
    });
}

std::vector<StageEvent> RunDb::stage_log() const {
    return impl_->guarded([&] {
        std::vector<StageEvent> events;
        SQLite::Statement select = impl_->prepare("SELECT stage, event, detail, at FROM stage_log ORDER BY id");
        while (select.executeStep()) {
            events.push_back({select.getColumn(0).getString(), select.getColumn(1).getString(),
                              select.getColumn(2).getString(), select.getColumn(3).getString()});
        }
        return events;
    });
}

} // namespace valuelens
