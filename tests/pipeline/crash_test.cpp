// A run that dies, or whose disk is full, at any of its file operations: the same call afterwards ends with the same
// bytes. Model and judge are fakes; database, activation files and stages are the real ones.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pipeline/fake_run.h"
#include "support/expect_error.h"
#include "support/faults.h"
#include "support/temp_folder.h"

namespace valuelens {
namespace {

namespace fs = std::filesystem;
using test::contents_of;
using test::FakeRun;

class Crash : public testing::TestWithParam<const char *> {
protected:
    Crash() {
        whole.execute();
        contents = contents_of(whole.folder);
    }

    FakeRun make(const std::string & name) const {
        FakeRun run{folder / name};
        run.n_queries = 9; // three slices
        run.config.activations = GetParam();
        run.config.judge_prior = run.config.activations == "none" ? "balanced" : "matched";
        return run;
    }

    void expect_as_whole(const FakeRun & run, long at) const {
        ASSERT_EQ(run.vectors(), whole.vectors()) << "operation " << at;
        ASSERT_EQ(run.axes(), whole.axes()) << "operation " << at;
        ASSERT_EQ(contents_of(run.folder), contents) << "operation " << at;
        for (const auto & entry : fs::recursive_directory_iterator(run.folder)) {
            // Those beside derived files are removed by the pipeline when it takes the folder.
            const bool in_activations = entry.path().parent_path().filename() == "activations";
            ASSERT_FALSE(in_activations && entry.path().extension() == ".partial") << entry.path() << ", " << at;
        }
    }

    const TempFolder folder;
    FakeRun whole = make("whole");
    std::vector<std::string> contents;
};

TEST_P(Crash, KilledAtAnyFileOperationTheRunEndsWithTheSameBytes) {
    long kills = 0;
    for (long at = 0;; ++at) {
        FakeRun run = make("run");
        const pid_t child = ::fork();
        if (child == 0) {
            faults_arm(run.folder.c_str(), faults_kill, at);
            run.execute();
            ::_exit(0);
        }
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        if (WIFEXITED(status)) {
            ASSERT_EQ(WEXITSTATUS(status), 0);
            break;
        }
        ++kills;
        faults_arm(run.folder.c_str(), faults_count, 0); // without waiting for the disk
        run.execute();
        faults_disarm();
        expect_as_whole(run, at);
        fs::remove_all(run.folder);
    }
    EXPECT_GT(kills, 100);
}

TEST_P(Crash, AFullDiskIsSaidAtAnyFileOperationAndTheRunGoesOn) {
    long failures = 0;
    for (long at = 0;; ++at) {
        FakeRun run = make("run");
        faults_arm(run.folder.c_str(), faults_full, at);
        bool failed = false;
        try {
            run.execute();
        } catch (const Error & error) {
            failed = true;
            EXPECT_EQ(error.kind(), ErrorKind::bad_input) << error.what();
            EXPECT_THAT(error.what(), testing::HasSubstr(run.folder.string())) << at;
            EXPECT_THAT(error.what(), testing::ContainsRegex("No space left|disk is")) << at;
        } catch (const fs::filesystem_error & error) {
            failed = true; // FakeRun makes the folder itself
            EXPECT_EQ(at, 0) << error.what();
        }
        faults_arm(run.folder.c_str(), faults_count, 0);
        if (failed) {
            ++failures;
            run.execute();
        }
        faults_disarm();
        expect_as_whole(run, at);
        fs::remove_all(run.folder);
        if (!failed) {
            break;
        }
    }
    EXPECT_GT(failures, 60);
}

TEST_P(Crash, ADamagedFileIsSaidAndMadeAgain) {
    FakeRun run = make("run");
    run.execute();
    const std::string name = run.config.activations == "none" ? "sums-00001" : "shard-00001";
    const fs::path file = run.folder / "activations" / (name + ".safetensors");
    std::string bytes = read_file(file);
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    write_file(file, bytes);
    class Warnings : public ProgressSink {
    public:
        void message(LogLevel level, std::string_view text) override {
            all += level == LogLevel::warning ? std::string(text) + "\n" : "";
        }
        std::string all;
    } warnings;
    run.execute(warnings);
    EXPECT_THAT(warnings.all, testing::HasSubstr(file.string() + ": the file is damaged"));
    expect_as_whole(run, -1);
}

INSTANTIATE_TEST_SUITE_P(Activations, Crash, testing::Values("f32", "none"),
                         [](const auto & instance) { return std::string(instance.param); });

} // namespace
} // namespace valuelens
