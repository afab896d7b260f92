#include "registry/process.h"

#include <gmock/gmock.h>
#include <signal.h>

#include <chrono>
#include <thread>

#include "base/file.h"
#include "support/temp_folder.h"
#include "valuelens/error.h"

namespace valuelens {
namespace {

TEST(Process, GivesExitCodeAndErrorOutput) {
    const ProcessResult result = run_process({"sh", "-c", "echo out; echo \"$0 failed\" >&2; exit 7", "it; $HOME"});
    EXPECT_EQ(result.exit_code, 7);
    EXPECT_EQ(result.error_output, "it; $HOME failed\n");
}

TEST(Process, ReadsMoreThanAPipeHolds) {
    const ProcessResult result = run_process({"sh", "-c", "head -c 300000 /dev/zero >&2"});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.error_output.size(), 300000u);
}

TEST(Process, HasNoInput) {
    EXPECT_EQ(run_process({"sh", "-c", "read x && exit 3; exit 4"}).exit_code, 4);
}

TEST(Process, ASignalIsAnExitCodeToo) {
    EXPECT_EQ(run_process({"sh", "-c", "kill -KILL $$"}).exit_code, 128 + SIGKILL);
}

TEST(Process, AProgramThatDoesNotExistIsNamed) {
    try {
        run_process({"no-such-program-of-valuelens"});
        FAIL() << "no error";
    } catch (const Error & error) {
        EXPECT_EQ(error.kind(), ErrorKind::model);
        EXPECT_STREQ(error.what(), "no-such-program-of-valuelens cannot be started (No such file or directory)");
    }
}

TEST(Process, AStopRequestEndsIt) {
    TempFolder folder;
    const std::string mark = (folder.path() / "started").string();
    std::stop_source stop;
    std::jthread stopper([&] {
        while (!std::filesystem::exists(mark)) {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        stop.request_stop();
    });
    try {
        run_process({"sh", "-c", "echo $$ > \"$0\"; exec sleep 600", mark}, stop.get_token());
        FAIL() << "no error";
    } catch (const Error & error) {
        EXPECT_EQ(error.kind(), ErrorKind::interrupted);
    }
    const pid_t child = std::stoi(read_file(mark));
    EXPECT_EQ(::kill(child, 0), -1);
}

} // namespace
} // namespace valuelens
