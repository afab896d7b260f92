// The program killed at any moment, on a full disk, in a folder that cannot be written: the same command afterwards
// ends with the bytes of a run that was left alone.
//
// VALUELENS_KILLS: how many random moments (20); VALUELENS_KILL_OPERATIONS: how many file operations (5). `make soak`
// takes more of both.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

#include "base/hash.h"
#include "base/random.h"
#include "cli/program.h"
#include "pipeline/small_run.h"
#include "support/mounts.h"

namespace valuelens {
namespace {

namespace fs = std::filesystem;
using test::Program;
using test::ProgramResult;
using test::run_program;
using test::SmallDisk;
using test::SmallRun;
using testing::HasSubstr;

std::size_t times(const char * variable, std::size_t otherwise) {
    const char * text = std::getenv(variable);
    return text == nullptr ? otherwise : std::stoul(text);
}

class CrashCommand : public testing::Test {
protected:
    static void SetUpTestSuite() {
        ASSERT_TRUE(SmallRun::has_model())
            << "smollm2-135m-bf16 is not in the cache: valuelens models fetch smollm2-135m";
        files = std::make_unique<SmallRun>();
        const TempFolder reports;
        const std::string report = (reports / "count").string();
        const auto start = std::chrono::steady_clock::now();
        const ProgramResult result =
            run_program(command(files->run()),
                        {std::string("LD_PRELOAD=") + VALUELENS_FAULTS_LIBRARY,
                         "VALUELENS_FAULTS=count:0:" + files->run().string(), "VALUELENS_FAULTS_REPORT=" + report});
        duration = std::chrono::steady_clock::now() - start;
        ASSERT_EQ(result.exit_code, 0) << result.err;
        n_operations = std::stol(read_file(report));
        for (const char * name : outputs) {
            expected.push_back(sha256_file(files->run() / name));
        }
    }
    static void TearDownTestSuite() { files.reset(); }

    static std::vector<std::string> command(const fs::path & run) {
        return {"run", files->config().string(), "--run", run.string()};
    }

    static void expect_finished(const fs::path & run, const std::string & what) {
        const ProgramResult result = run_program(command(run));
        ASSERT_EQ(result.exit_code, 0) << what << ": " << result.err;
        for (std::size_t i = 0; i < std::size(outputs); ++i) {
            EXPECT_EQ(sha256_file(run / outputs[i]), expected[i]) << outputs[i] << ", " << what;
        }
        for (const auto & entry : fs::recursive_directory_iterator(run)) {
            EXPECT_NE(entry.path().extension(), ".partial") << entry.path() << ", " << what;
        }
    }

    static constexpr const char * outputs[] = {"vectors.safetensors", "axes.safetensors", "geometry.json",
                                               "neurons.csv", "neurons.json"};
    static std::unique_ptr<SmallRun> files;
    static std::vector<std::string> expected;
    static std::chrono::duration<double> duration;
    static long n_operations;
    const TempFolder folder;
};

std::unique_ptr<SmallRun> CrashCommand::files;
std::vector<std::string> CrashCommand::expected;
std::chrono::duration<double> CrashCommand::duration;
long CrashCommand::n_operations = 0;

TEST_F(CrashCommand, KilledAtRandomMomentsItEndsWithTheSameBytes) {
    const std::size_t wanted = times("VALUELENS_KILLS", 20);
    Rng rng(2509);
    std::size_t kills = 0;
    for (std::size_t tries = 0; kills < wanted && tries < 3 * wanted; ++tries) {
        const fs::path run = folder / fmt::format("run-{}", tries);
        const double moment = rng.uniform();
        const Program program(command(run));
        std::this_thread::sleep_for(moment * duration);
        program.signal(SIGKILL);
        if (program.wait().exit_code == -1) { // else it came to its end before
            ++kills;
        }
        expect_finished(run, fmt::format("killed at {:.3f} of the run", moment));
        fs::remove_all(run);
    }
    EXPECT_EQ(kills, wanted) << "too many runs came to their end before they were killed";
}

TEST_F(CrashCommand, KilledAtAFileOperationItEndsWithTheSameBytes) {
    const std::size_t wanted = times("VALUELENS_KILL_OPERATIONS", 5);
    ASSERT_GT(n_operations, 100);
    Rng rng(24);
    for (std::size_t i = 0; i < wanted; ++i) {
        const double part = (static_cast<double>(i) + rng.uniform()) / static_cast<double>(wanted);
        const long at = static_cast<long>(part * static_cast<double>(n_operations - 10)); // some are those of closing
        const fs::path run = folder / fmt::format("run-{}", i);
        const ProgramResult result =
            run_program(command(run), {std::string("LD_PRELOAD=") + VALUELENS_FAULTS_LIBRARY,
                                       fmt::format("VALUELENS_FAULTS=kill:{}:{}", at, run.string())});
        ASSERT_EQ(result.exit_code, -1) << result.err;
        expect_finished(run, fmt::format("killed at operation {} of {}", at, n_operations));
        fs::remove_all(run);
    }
}

TEST_F(CrashCommand, ALockOfAKilledProcessDoesNotBlock) {
    const fs::path run = folder / "run";
    const Program program(command(run));
    ASSERT_TRUE(program.wait_for_file(run / "lock"));
    program.signal(SIGKILL);
    program.wait();
    EXPECT_TRUE(fs::exists(run / "lock"));
    expect_finished(run, "locked by a dead process");
}

TEST_F(CrashCommand, ADiskThatIsFullIsSaidAndTheRunGoesOnWhenItIsNot) {
    std::size_t size = 48;
    const SmallDisk disk(folder / "disk", size);
    if (!disk.problem().empty()) {
        GTEST_SKIP() << "MOUNTING IS NOT ALLOWED HERE (" << disk.problem() << "): a full disk was not tried";
    }
    const fs::path run = disk.folder() / "run";
    std::size_t failures = 0;
    for (; size < 64 * 1024; size += size / 3) {
        ASSERT_TRUE(disk.resize(size)) << std::strerror(errno);
        const ProgramResult result = run_program(command(run));
        if (result.exit_code == 0) {
            break;
        }
        ++failures;
        EXPECT_EQ(result.exit_code, 3) << size << " KiB: " << result.err;
        EXPECT_THAT(result.last_error_line(), testing::ContainsRegex("^error: .*(No space left|disk is|are free)"))
            << size << " KiB";
        EXPECT_THAT(result.last_error_line(), HasSubstr(run.string())) << size << " KiB";
    }
    EXPECT_GT(failures, 5u);
    expect_finished(run, "a disk that was full");
}

TEST_F(CrashCommand, AFolderThatCannotBeWrittenIsSaidAndCanBeLookedAt) {
    const SmallDisk disk(folder / "disk", 65536);
    if (!disk.problem().empty()) {
        GTEST_SKIP() << "MOUNTING IS NOT ALLOWED HERE (" << disk.problem() << "): a read-only folder was not tried";
    }
    const fs::path run = disk.folder() / "run";
    ASSERT_EQ(run_program(command(run)).exit_code, 0);
    ASSERT_TRUE(disk.make_read_only(65536));
    const ProgramResult refused = run_program(command(run));
    EXPECT_EQ(refused.exit_code, 3) << refused.err;
    EXPECT_THAT(refused.last_error_line(), testing::AllOf(HasSubstr("error: " + run.string()), HasSubstr("Read-only")));
    const ProgramResult elsewhere = run_program(command(disk.folder() / "new"));
    EXPECT_EQ(elsewhere.exit_code, 3) << elsewhere.err;
    EXPECT_THAT(elsewhere.last_error_line(), HasSubstr((disk.folder() / "new").string()));
    const ProgramResult status = run_program({"status", "--run", run.string()});
    EXPECT_EQ(status.exit_code, 0) << status.err;
    EXPECT_THAT(status.out, HasSubstr("next:      nothing"));
}

} // namespace
} // namespace valuelens
