#include "store/run_lock.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"

using namespace valuelens;

TEST(RunLock, ASecondHolderIsToldWhoHasIt) {
    TempFolder folder;
    {
        RunLock lock(folder.path(), "valuelens run\nx.toml");
        expect_error(ErrorKind::usage,
                     {folder.path().string(), "process " + std::to_string(::getpid()),
                      "(valuelens run x.toml) since 20", "--run"},
                     [&] { RunLock second(folder.path(), "valuelens judge"); });
    }
    EXPECT_NO_THROW(RunLock(folder.path(), "valuelens judge"));
}

TEST(RunLock, AnotherProcessHoldsItUntilItDies) {
    TempFolder folder;
    int ready[2], finish[2];
    ASSERT_EQ(::pipe(ready), 0);
    ASSERT_EQ(::pipe(finish), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    char letter = 0;
    if (child == 0) {
        auto * lock = new RunLock(folder.path(), "child"); // never destroyed: only death releases it
        letter = lock != nullptr ? 'x' : 'y';
        [[maybe_unused]] ssize_t done = ::write(ready[1], &letter, 1);
        done = ::read(finish[0], &letter, 1);
        ::_exit(0);
    }
    ASSERT_EQ(::read(ready[0], &letter, 1), 1);
    expect_error(ErrorKind::usage, {"process " + std::to_string(child), "(child)"},
                 [&] { RunLock lock(folder.path(), "parent"); });
    ASSERT_EQ(::write(finish[1], &letter, 1), 1);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_NO_THROW(RunLock(folder.path(), "parent"));
}

TEST(RunLock, ReadersShareAndKeepWorkersOut) {
    TempFolder folder;
    {
        const RunLock first(folder.path(), "valuelens merge", RunLock::Kind::read);
        const RunLock second(folder.path(), "valuelens merge", RunLock::Kind::read);
        expect_error(ErrorKind::usage, {"(valuelens merge)"}, [&] { RunLock worker(folder.path(), "valuelens run"); });
    }
    const RunLock worker(folder.path(), "valuelens run");
    expect_error(ErrorKind::usage, {"(valuelens run)"},
                 [&] { RunLock reader(folder.path(), "valuelens merge", RunLock::Kind::read); });
}

TEST(RunLock, WhatADeadProcessWroteDoesNotLock) {
    TempFolder folder;
    write_file(folder / "lock", "1\nsome host\nvaluelens run\n2026-01-01T00:00:00Z\n");
    EXPECT_NO_THROW(RunLock(folder.path(), "valuelens run"));
}

TEST(RunLock, AFolderThatIsNotThere) {
    TempFolder folder;
    expect_error(ErrorKind::bad_input, {"absent/lock"}, [&] { RunLock lock(folder / "absent", "x"); });
}
