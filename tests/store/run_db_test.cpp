#include "store/run_db.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"

using namespace valuelens;

namespace {

ConceptSet two_values() {
    ConceptSet set{"toy", "Toy values", "nowhere", {}};
    set.concepts.push_back({"power", "Power", "social status", "power", "enhancement", 180.0, std::nullopt});
    set.concepts.push_back({"care", "Care", "the welfare of others", "care", "", std::nullopt, 40.0});
    return set;
}

ResponseRow response(const std::string & query, std::size_t position, std::optional<std::string> value = {}) {
    ResponseRow row;
    row.id = query + "/" + value.value_or("intrinsic");
    row.position = position;
    row.slice = position / 10;
    row.query_id = query;
    row.condition = value ? Condition::prompted : Condition::intrinsic;
    row.value_id = value;
    if (value) {
        row.template_id = "t1";
        row.system = "Value it.";
    }
    row.prompt = "<user>q";
    row.prompt_tokens = {1, 2, 70000};
    row.text = std::string("a\0b \xC3\xBC", 6);
    row.tokens = {5, -1};
    row.logprob_sum = -2.5;
    row.finish = "length";
    return row;
}

SliceRow slice(std::size_t number, std::size_t n) {
    return {number, n, number * 10, "activations/shard", "abc", R"({"x":1})"};
}

class RunDbTest : public testing::Test {
protected:
    RunDb open(RunDbMode mode = RunDbMode::create) { return RunDb(folder / "run.sqlite", mode); }
    std::vector<std::string> ids(const RunDb & db, std::optional<std::size_t> number = {}) {
        std::vector<std::string> result;
        db.for_each_response(number, [&](const ResponseRow & row) { result.push_back(row.id); });
        return result;
    }
    TempFolder folder;
};

} // namespace

TEST_F(RunDbTest, SlicesOfAnotherDatabaseAreTakenOver) {
    const std::filesystem::path odd_name = folder / "part #1?%.sqlite";
    {
        RunDb part(odd_name, RunDbMode::create);
        const std::vector<ResponseRow> rows{response("q2", 10), response("q2", 11, "power")};
        const std::vector<DroppedRow> dropped{{"generate", "q2/care", "too long"}};
        const std::vector<LabelRow> labels{{"q2/intrinsic", "power", 0.75, true}, {"q2/power", "power", {}, {}}};
        part.commit_slice(slice(1, 2), rows, dropped, &labels);
    }
    RunDb db = open();
    db.store_inputs(two_values(), {}, {});
    db.commit_slice(slice(0, 1), std::vector{response("q1", 0)}, {});
    db.import_slices(RunDb(odd_name, RunDbMode::read_only));
    EXPECT_EQ(db.finished_slices(), (std::set<std::size_t>{0, 1}));
    EXPECT_EQ(db.finished_judge_slices(), (std::set<std::size_t>{1}));
    EXPECT_EQ(ids(db), (std::vector<std::string>{"q1/intrinsic", "q2/intrinsic", "q2/power"}));
    ASSERT_EQ(db.labels().size(), 2u);
    EXPECT_EQ(db.labels()[0].label.probability, 0.75);
    EXPECT_EQ(db.labels()[1].label.expresses, std::nullopt);
    EXPECT_EQ(db.counts().dropped.size(), 1u);
    EXPECT_EQ(db.slices()[1].shard_sha256, "abc");
    db.for_each_response(1, [&](const ResponseRow & row) {
        EXPECT_EQ(row.text, response("q2", 10).text);
        EXPECT_EQ(row.tokens, response("q2", 10).tokens);
    });
    expect_error(ErrorKind::internal, {"already holds"},
                 [&] { db.import_slices(RunDb(odd_name, RunDbMode::read_only)); });
    EXPECT_EQ(db.counts().slices, 2u) << "and it can be asked again";
    db.remove_slice(1);
    EXPECT_EQ(db.counts().labels, 0u) << "with its labels, as if it had been made here";
    EXPECT_EQ(db.counts().dropped.size(), 0u);
}

TEST_F(RunDbTest, LabelsAreDecidedAnew) {
    RunDb db = open();
    const std::vector<LabelRow> labels{{"q1/intrinsic", "power", 0.75, true}, {"q1/power", "power", 0.25, false}};
    db.commit_slice(slice(0, 2), std::vector{response("q1", 0), response("q1", 1, "power")}, {}, &labels);
    db.decide_labels([](const LabelRow & row) {
        return row.response_id == "q1/power" ? std::nullopt : std::optional(!*row.expresses);
    });
    EXPECT_EQ(db.labels()[0].label.expresses, false);
    EXPECT_EQ(db.labels()[0].label.probability, 0.75);
    EXPECT_EQ(db.labels()[1].label.expresses, std::nullopt);
    EXPECT_THROW(db.decide_labels([](const LabelRow & row) -> std::optional<bool> {
        if (row.response_id == "q1/power") {
            throw Error(ErrorKind::interrupted, "stop");
        }
        return true;
    }),
                 Error);
    EXPECT_EQ(db.labels()[0].label.expresses, false) << "all or none";
}

TEST_F(RunDbTest, InputsComeBackAndCannotChange) {
    const std::vector<Query> queries{{"q1", "How?", "work"}, {"q2", "Why?", ""}};
    const std::vector<PromptTemplate> templates{{"t1", "Be {value}."}};
    {
        RunDb db = open();
        EXPECT_FALSE(db.has_inputs());
        db.store_inputs(two_values(), queries, templates);
        db.store_inputs(two_values(), queries, templates);
    }
    RunDb db = open(RunDbMode::existing);
    const ConceptSet set = db.concepts();
    EXPECT_EQ(set.name, "toy");
    ASSERT_EQ(set.concepts.size(), 2u);
    EXPECT_EQ(set.concepts[0].id, "power");
    EXPECT_EQ(set.concepts[0].angle, 180.0);
    EXPECT_EQ(set.concepts[0].wedge, std::nullopt);
    EXPECT_EQ(set.concepts[1].wedge, 40.0);
    EXPECT_EQ(db.queries()[1].text, "Why?");
    EXPECT_EQ(db.templates()[0].text, "Be {value}.");

    std::vector<Query> fewer(queries.begin(), queries.begin() + 1);
    expect_error(ErrorKind::usage, {"queries", "--run"}, [&] { db.store_inputs(two_values(), fewer, templates); });
    ConceptSet changed = two_values();
    changed.concepts[1].definition = "else";
    expect_error(ErrorKind::usage, {"concepts"}, [&] { db.store_inputs(changed, queries, templates); });
}

TEST_F(RunDbTest, SlicesSurviveReopening) {
    {
        RunDb db = open();
        db.set_meta("seed", "1");
        db.set_meta("seed", "2");
        // Out of order on purpose: the reader orders by position.
        db.commit_slice(slice(1, 1), std::vector{response("q9", 10)}, {});
        db.commit_slice(slice(0, 2), std::vector{response("q1", 1, "power"), response("q1", 0)},
                        std::vector<DroppedRow>{{"generate", "q1/care", "no tokens"}});
    }
    RunDb db = open(RunDbMode::existing);
    EXPECT_EQ(db.meta("seed"), "2");
    EXPECT_EQ(db.meta("absent"), std::nullopt);
    EXPECT_EQ(db.all_meta().size(), 1u);
    EXPECT_EQ(db.finished_slices(), (std::set<std::size_t>{0, 1}));
    EXPECT_EQ(ids(db), (std::vector<std::string>{"q1/intrinsic", "q1/power", "q9/intrinsic"}));
    EXPECT_EQ(ids(db, 1), (std::vector<std::string>{"q9/intrinsic"}));

    const std::vector<SliceRow> rows = db.slices();
    EXPECT_EQ(rows[0].shard, "activations/shard");
    EXPECT_EQ(rows[0].stats, R"({"x":1})");
    const ResponseRow expected = response("q1", 1, "power");
    db.for_each_response(0, [&](const ResponseRow & row) {
        if (row.id == expected.id) {
            EXPECT_EQ(row.condition, expected.condition);
            EXPECT_EQ(row.value_id, expected.value_id);
            EXPECT_EQ(row.template_id, expected.template_id);
            EXPECT_EQ(row.system, expected.system);
            EXPECT_EQ(row.prompt_tokens, expected.prompt_tokens);
            EXPECT_EQ(row.tokens, expected.tokens);
            EXPECT_EQ(row.text, expected.text);
            EXPECT_EQ(row.logprob_sum, expected.logprob_sum);
            EXPECT_EQ(row.finish, expected.finish);
            EXPECT_EQ(row.slice, 0u);
        } else {
            EXPECT_EQ(row.value_id, std::nullopt);
            EXPECT_EQ(row.template_id, std::nullopt);
        }
    });
    EXPECT_EQ(db.dropped().at(0).item, "q1/care");
}

TEST_F(RunDbTest, AFailedSliceLeavesNothing) {
    RunDb db = open();
    const std::vector<ResponseRow> twice{response("q1", 0), response("q1", 1)}; // the same id
    expect_error(ErrorKind::internal, {"run.sqlite"}, [&] { db.commit_slice(slice(0, 2), twice, {}); });
    EXPECT_TRUE(db.finished_slices().empty());
    EXPECT_TRUE(ids(db).empty());
    db.commit_slice(slice(0, 1), std::vector{response("q1", 0)}, {});
    EXPECT_EQ(db.finished_slices().size(), 1u);
}

TEST_F(RunDbTest, WhatWasCommittedSurvivesTheDeathOfTheProcess) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        RunDb db = open();
        db.commit_slice(slice(0, 1), std::vector{response("q1", 0)}, {});
        ::_exit(7); // no destructor runs
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(WEXITSTATUS(status), 7);
    EXPECT_EQ(ids(open(RunDbMode::existing)), (std::vector<std::string>{"q1/intrinsic"}));
}

TEST_F(RunDbTest, LabelsAndCounts) {
    RunDb db = open();
    db.store_inputs(two_values(), std::vector<Query>{{"q1", "How?", ""}}, {});
    db.commit_slice(slice(0, 2), std::vector{response("q1", 0), response("q1", 1, "power")}, {});
    db.commit_slice(slice(1, 0), {}, std::vector<DroppedRow>{{"generate", "q2/intrinsic", "too long"}});
    db.add_dropped(std::vector<DroppedRow>{{"vectors", "care/intrinsic", "too few"}, {"generate", "x", "too long"}});
    db.commit_labels(0, std::vector<LabelRow>{{"q1/intrinsic", "care", 0.9, true},
                                              {"q1/intrinsic", "power", 0.5, std::nullopt},
                                              {"q1/power", "power", std::nullopt, std::nullopt}});
    db.commit_labels(1, {});
    EXPECT_EQ(db.finished_judge_slices(), (std::set<std::size_t>{0, 1}));

    const std::vector<StoredLabel> labels = db.labels();
    ASSERT_EQ(labels.size(), 3u);
    EXPECT_EQ(labels[0].label.value_id, "power"); // the order of the concept set
    EXPECT_EQ(labels[0].label.expresses, std::nullopt);
    EXPECT_EQ(labels[1].label.expresses, true);
    EXPECT_EQ(labels[1].label.probability, 0.9);
    EXPECT_EQ(labels[2].condition, Condition::prompted);
    EXPECT_EQ(labels[2].query_id, "q1");
    EXPECT_EQ(labels[2].position, 1u);

    const RunCounts counts = db.counts();
    EXPECT_EQ(counts.concepts, 2u);
    EXPECT_EQ(counts.queries, 1u);
    EXPECT_EQ(counts.slices, 2u);
    EXPECT_EQ(counts.judge_slices, 2u);
    EXPECT_EQ(counts.intrinsic, 1u);
    EXPECT_EQ(counts.prompted, 1u);
    EXPECT_EQ(counts.labels, 3u);
    EXPECT_EQ(counts.expressing, 1u);
    EXPECT_EQ(counts.not_expressing, 0u);
    EXPECT_EQ(counts.undecided, 1u);
    EXPECT_EQ(counts.no_opinion, 1u);
    ASSERT_EQ(counts.dropped.size(), 2u);
    EXPECT_EQ(counts.dropped[0].reason, "too long");
    EXPECT_EQ(counts.dropped[0].n, 2u);

    db.remove_slice(0);
    EXPECT_TRUE(db.labels().empty());
    EXPECT_TRUE(ids(db).empty());
    EXPECT_EQ(db.finished_judge_slices(), (std::set<std::size_t>{1}));
    db.remove_slice(1);
    EXPECT_EQ(db.dropped().size(), 2u); // those of no slice stay
    db.commit_slice(slice(0, 1), std::vector{response("q1", 0)}, {});
    db.commit_labels(0, std::vector<LabelRow>{{"q1/intrinsic", "care", 0.1, false}});
    db.clear_labels();
    EXPECT_TRUE(db.finished_judge_slices().empty());
    EXPECT_EQ(db.counts().labels, 0u);
    EXPECT_EQ(db.finished_slices().size(), 1u);
}

TEST_F(RunDbTest, LabelsNeedAFinishedSliceAndItsResponses) {
    RunDb db = open();
    expect_error(ErrorKind::internal, {}, [&] { db.commit_labels(3, {}); });
    db.commit_slice(slice(0, 0), {}, {});
    expect_error(ErrorKind::internal, {}, [&] {
        db.commit_labels(0, std::vector<LabelRow>{{"absent", "care", 0.5, {}}});
    });
    EXPECT_TRUE(db.finished_judge_slices().empty());
}

TEST_F(RunDbTest, StageLog) {
    RunDb db = open();
    db.log_stage("generate", "started");
    db.log_stage("generate", "finished", "12 responses");
    const std::vector<StageEvent> events = db.stage_log();
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(events[1].detail, "12 responses");
    EXPECT_EQ(events[1].at.size(), std::string("2000-01-01T00:00:00Z").size());
}

TEST_F(RunDbTest, FilesThatAreNoRun) {
    expect_error(ErrorKind::bad_input, {"run.sqlite", "no run here"}, [&] { open(RunDbMode::existing); });
    EXPECT_FALSE(std::filesystem::exists(folder / "run.sqlite"));
    write_file(folder / "run.sqlite", std::string(4096, 'x'));
    expect_error(ErrorKind::bad_input, {"run.sqlite", "not a database"}, [&] { open(); });
    std::filesystem::remove(folder / "run.sqlite");
    SQLite::Database((folder / "run.sqlite").string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE)
        .exec("CREATE TABLE other(x)");
    expect_error(ErrorKind::bad_input, {"not the database of a valuelens run"}, [&] { open(); });
}

TEST_F(RunDbTest, ANewerSchemaIsRefused) {
    { RunDb db = open(); }
    SQLite::Database((folder / "run.sqlite").string(), SQLite::OPEN_READWRITE).exec("PRAGMA user_version = 99");
    for (const RunDbMode mode : {RunDbMode::read_only, RunDbMode::existing, RunDbMode::create}) {
        expect_error(ErrorKind::bad_input, {"newer valuelens", "99"}, [&] { open(mode); });
    }
}

TEST_F(RunDbTest, AReaderCannotWrite) {
    {
        RunDb db = open();
        db.commit_slice(slice(0, 1), std::vector{response("q1", 0)}, {});
    }
    RunDb reader = open(RunDbMode::read_only);
    EXPECT_EQ(ids(reader).size(), 1u);
    expect_error(ErrorKind::bad_input, {"cannot be written"}, [&] { reader.set_meta("a", "b"); });
}

TEST_F(RunDbTest, ReadersSeeTheRunWhileItIsWritten) {
    RunDb writer = open();
    RunDb reader = open(RunDbMode::read_only);
    writer.commit_slice(slice(0, 1), std::vector{response("q1", 0)}, {});
    EXPECT_EQ(reader.counts().intrinsic, 1u);
}
