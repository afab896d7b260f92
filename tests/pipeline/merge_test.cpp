#include "valuelens/merge.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hash.h"
#include "pipeline/fake_run.h"
#include "support/expect_error.h"
#include "support/faults.h"
#include "support/temp_folder.h"
#include "valuelens/run.h"

namespace valuelens {
namespace {

namespace fs = std::filesystem;
using test::contents_of;
using test::FakeRun;

class Merge : public testing::Test {
protected:
    FakeRun run(const std::string & name, std::optional<Shard> shard = {}) const {
        FakeRun run{folder / name};
        run.shard = shard;
        return run;
    }

    /// Shards 0/3, 1/3 and 2/3, made.
    std::vector<fs::path> make_shards(const std::function<void(FakeRun &)> & change = {}) const {
        std::vector<fs::path> folders;
        for (int i = 0; i < 3; ++i) {
            FakeRun part = run(fmt::format("part-{}", i), Shard{i, 3});
            if (change) {
                change(part);
            }
            part.execute();
            folders.push_back(part.folder);
        }
        return folders;
    }

    MergeResult merge(const std::vector<fs::path> & shards) const { return merge_runs({shards, folder / "merged"}); }

    /// Goes on in the merged folder with the stages after judging.
    std::string merged_vectors() const {
        FakeRun merged = run("merged");
        merged.config = parse_run_config(read_file(folder / "merged/config.toml"), "config", folder.path());
        RunDb db(folder / "merged/run.sqlite", RunDbMode::existing);
        const RunInputs inputs{db.concepts(), db.templates(), db.queries()};
        merged.derive(db, inputs);
        return merged.vectors() + merged.axes();
    }

    std::string whole_vectors(const std::function<void(FakeRun &)> & change = {}) const {
        FakeRun whole = run("whole");
        if (change) {
            change(whole);
        }
        whole.execute();
        return whole.vectors() + whole.axes();
    }

    const TempFolder folder;
};

TEST_F(Merge, GivesTheBytesOfTheRunInOneFolder) {
    const std::string expected = whole_vectors();
    const std::vector<fs::path> shards = make_shards();
    const std::vector<std::string> before = contents_of(shards[1]);
    const MergeResult result = merge({shards[2], shards[0], shards[1]});
    EXPECT_EQ(result.shards, 3u);
    EXPECT_EQ(result.slices, 8u);
    EXPECT_EQ(result.responses, 72u);
    EXPECT_EQ(result.labels, 24u * 4);
    EXPECT_EQ(result.linked + result.copied, 8u);
    EXPECT_EQ(result.next, "vectors") << "labels came along and are decided";
    EXPECT_EQ(contents_of(folder / "merged"), contents_of(folder / "whole"))
        << "labels that are decided over all responses, too";
    EXPECT_EQ(merged_vectors(), expected);
    EXPECT_EQ(contents_of(shards[1]), before) << "shards are left alone";
    EXPECT_NE(before, contents_of(folder / "merged"));

    const RunStatus status = run_status(folder / "merged");
    EXPECT_EQ(status.shard, "");
    EXPECT_EQ(status.next, "neurons");
    EXPECT_EQ(run_status(shards[1]).shard, "1/3");
    EXPECT_EQ(run_status(shards[1]).next, "merge");
    EXPECT_EQ(run_status(shards[1]).slices_planned, 3u);
}

TEST_F(Merge, LinksWhatNeedNotBeCopied) {
    const MergeResult result = merge(make_shards());
    struct stat file {};
    ASSERT_EQ(::stat((folder / "merged/activations/shard-00001.safetensors").c_str(), &file), 0);
    if (result.linked == 0) {
        GTEST_SKIP() << "NO HARD LINKS ON THIS FILE SYSTEM: nothing is tested";
    }
    EXPECT_EQ(file.st_nlink, 2u);
    EXPECT_EQ(result.copied, 0u);
}

TEST_F(Merge, CopiesWhereThereAreNoLinks) {
    const std::string expected = whole_vectors();
    const std::vector<fs::path> shards = make_shards();
    faults_arm(folder.path().c_str(), faults_no_links, 0);
    const MergeResult result = merge(shards);
    faults_disarm();
    EXPECT_EQ(result.linked, 0u);
    EXPECT_EQ(result.copied, 8u);
    for (const fs::path & shard : shards) {
        fs::remove_all(shard); // the merged run stands alone
    }
    EXPECT_EQ(merged_vectors(), expected);
}

TEST_F(Merge, AgainDoesNothing) {
    const std::vector<fs::path> shards = make_shards();
    merge(shards);
    const std::string vectors = merged_vectors();
    const MergeResult again = merge(shards);
    EXPECT_TRUE(again.done_before);
    EXPECT_EQ(again.responses, 72u);
    EXPECT_EQ(again.next, "neurons") << "what was derived since is still there";
    EXPECT_EQ(run("merged").vectors() + run("merged").axes(), vectors);
}

TEST_F(Merge, AMissingShardIsNamed) {
    const std::vector<fs::path> shards = make_shards();
    expect_error(ErrorKind::usage, {"missing", "1/3"}, [&] { merge({shards[0], shards[2]}); });
    expect_error(ErrorKind::usage, {"missing", "0/3, 2/3"}, [&] { merge({shards[1]}); });
    EXPECT_FALSE(fs::exists(folder / "merged")) << "nothing was begun";
}

TEST_F(Merge, ADoubledShardIsNamed) {
    const std::vector<fs::path> shards = make_shards();
    fs::copy(shards[1], folder / "copy", fs::copy_options::recursive);
    expect_error(ErrorKind::usage, {"1/3", "twice", shards[1].string(), (folder / "copy").string()}, [&] {
        merge({shards[0], shards[1], shards[2], folder / "copy"});
    });
}

TEST_F(Merge, AForeignShardIsNamedWithWhatDiffers) {
    const std::vector<fs::path> shards = make_shards();
    const auto foreign = [&](const std::string & name, const std::function<void(FakeRun &)> & change,
                             const std::string & words) {
        FakeRun other = run(name, Shard{2, 3});
        change(other);
        other.execute();
        expect_error(ErrorKind::usage, {other.folder.string(), shards[0].string(), words}, [&] {
            merge({shards[0], shards[1], other.folder});
        });
    };
    foreign(
        "seed", [](FakeRun & other) { other.config.seed = 6; }, "seed (was 5, now 6)");
    foreign(
        "tokens", [](FakeRun & other) { other.config.max_tokens = 9; }, "generate.max_tokens");
    foreign(
        "queries", [](FakeRun & other) { other.query_mark = " Really?"; }, "generate.plan");
    foreign(
        "judge", [](FakeRun & other) { other.judge_name = "another judge"; }, "another judge");
    foreign(
        "count",
        [](FakeRun & other) {
            other.shard = Shard{2, 4};
        },
        "2/4");
    expect_error(ErrorKind::usage, {"none", "is not a run"}, [&] { merge({shards[0], folder / "none"}); });
    EXPECT_FALSE(fs::exists(folder / "none"));
}

TEST_F(Merge, AnUnfinishedShardIsNamed) {
    const std::vector<fs::path> shards = make_shards();
    RunDb(shards[1] / "run.sqlite", RunDbMode::existing).remove_slice(4);
    expect_error(ErrorKind::bad_input, {shards[1].string(), "1/3", "2 of 3 slices", "valuelens generate"},
                 [&] { merge(shards); });
}

TEST_F(Merge, AShardInUseIsNamed) {
    const std::vector<fs::path> shards = make_shards();
    const RunLock lock(shards[2], "valuelens run x.toml");
    expect_error(ErrorKind::usage, {shards[2].string(), "valuelens run x.toml"}, [&] { merge(shards); });
}

TEST_F(Merge, ADamagedFileIsNamed) {
    const std::vector<fs::path> shards = make_shards();
    const fs::path file = shards[1] / "activations/shard-00004.safetensors";
    std::string bytes = read_file(file);
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    write_file(file, bytes);
    expect_error(ErrorKind::bad_input, {file.string(), "damaged", "run the same command"}, [&] { merge(shards); });
    EXPECT_FALSE(fs::exists(folder / "merged/run.sqlite"));
    run("part-1", Shard{1, 3}).execute();
    EXPECT_EQ(merge(shards).slices, 8u) << "made anew, it goes on";
}

TEST_F(Merge, AnOutputThatHoldsAnythingElseIsRefused) {
    const std::vector<fs::path> shards = make_shards();
    whole_vectors();
    expect_error(ErrorKind::usage, {(folder / "whole").string(), "another run"}, [&] {
        merge_runs({shards, folder / "whole"});
    });
    expect_error(ErrorKind::usage, {shards[0].string(), "--output"}, [&] { merge_runs({shards, shards[0]}); });
}

TEST_F(Merge, WhatIsNotJudgedIsLeftToTheJudge) {
    const std::string expected = whole_vectors();
    std::vector<fs::path> shards = make_shards();
    fs::remove_all(shards[1]);
    FakeRun part = run("part-1", Shard{1, 3});
    part.judged = false;
    part.execute();
    const MergeResult result = merge(shards);
    EXPECT_EQ(result.next, "judge");
    FakeRun merged = run("merged");
    merged.execute();
    EXPECT_EQ(merged.vectors() + merged.axes(), expected);
}

TEST_F(Merge, SumsOfSlicesMergeAsWell) {
    const auto sums_only = [](FakeRun & run) {
        run.config.activations = "none";
        run.config.judge_prior = "balanced";
    };
    const std::string expected = whole_vectors(sums_only);
    const MergeResult result = merge(make_shards(sums_only));
    EXPECT_EQ(result.next, "vectors");
    EXPECT_EQ(merged_vectors(), expected);
}

TEST_F(Merge, ShardsBeyondTheNumberOfSlicesMayBeLeftOut) {
    const auto small = [](FakeRun & run) {
        run.n_queries = 6; // two slices
    };
    const std::string expected = whole_vectors(small);
    const std::vector<fs::path> shards = make_shards(small);
    EXPECT_EQ(run_status(shards[2]).slices_planned, 0u);
    EXPECT_EQ(merge({shards[0], shards[1]}).slices, 2u);
    EXPECT_EQ(merged_vectors(), expected);
    EXPECT_EQ(merge_runs({shards, folder / "with the empty one"}).slices, 2u);
}

/// Runs `work` in a child process; true when it came to its end.
bool ends(const std::function<void()> & work) {
    const pid_t child = ::fork();
    if (child == 0) {
        try {
            work();
        } catch (const Error &) {
            ::_exit(2);
        }
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST_F(Merge, KilledAtAnyFileOperationTheSameCallEndsIt) {
    const std::string expected = whole_vectors();
    const std::vector<fs::path> shards = make_shards();
    const std::vector<std::string> contents = contents_of(folder / "whole");
    const std::string output = (folder / "merged").string();
    long kills = 0;
    for (long at = 0;; at += 7) {
        const bool done = ends([&] {
            faults_arm(output.c_str(), faults_kill, at);
            merge(shards);
        });
        if (done) {
            break;
        }
        ++kills;
        merge(shards);
        ASSERT_EQ(contents_of(output), contents) << "killed at operation " << at;
        ASSERT_FALSE(fs::exists(output + "/run.sqlite.partial")) << at;
        fs::remove_all(output);
    }
    EXPECT_GT(kills, 8);
    EXPECT_EQ(merged_vectors(), expected);
}

TEST_F(Merge, AFullDiskIsSaidAndTheSameCallEndsIt) {
    const std::vector<fs::path> shards = make_shards();
    whole_vectors();
    const std::vector<std::string> contents = contents_of(folder / "whole");
    const std::string output = (folder / "merged").string();
    long failures = 0;
    for (long at = 0;; at += 7) {
        faults_arm(output.c_str(), faults_full, at);
        bool failed = false;
        try {
            merge(shards);
        } catch (const Error & error) {
            failed = true;
            EXPECT_EQ(error.kind(), ErrorKind::bad_input) << error.what();
            EXPECT_THAT(error.what(), testing::ContainsRegex("No space left|disk is")) << at;
        }
        const long count = faults_disarm();
        if (!failed) {
            EXPECT_LE(count, at + 16) << "only what may fail (closing the database's log) can come after";
            break;
        }
        ++failures;
        merge(shards);
        ASSERT_EQ(contents_of(output), contents) << "full at operation " << at;
        fs::remove_all(output);
    }
    EXPECT_GT(failures, 8);
}

} // namespace
} // namespace valuelens
