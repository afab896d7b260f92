#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"
#include "support/temp_folder.h"

extern char ** environ;

namespace valuelens::test {

/// What a call of the program left behind.
struct ProgramResult {
    int exit_code = -1; ///< -1: ended by a signal
    std::string out;
    std::string err;

    std::string last_error_line() const {
        const std::string trimmed = err.substr(0, err.find_last_not_of('\n') + 1);
        return trimmed.substr(trimmed.find_last_of('\n') + 1);
    }
};

/// The built program, running with its output in files. `variables` ("NAME=value") are added to its environment.
class Program {
public:
    explicit Program(const std::vector<std::string> & arguments, std::vector<std::string> variables = {}) {
        std::vector<std::string> words = {VALUELENS_BINARY};
        words.insert(words.end(), arguments.begin(), arguments.end());
        std::vector<char *> raw;
        for (std::string & word : words) {
            raw.push_back(word.data());
        }
        raw.push_back(nullptr);
        std::vector<char *> environment;
        for (std::string & variable : variables) {
            environment.push_back(variable.data());
        }
        for (char ** variable = environ; *variable != nullptr; ++variable) {
            environment.push_back(*variable);
        }
        environment.push_back(nullptr);
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
        // A shell that starts tests in the background has SIGINT ignored, and the program would inherit that.
        posix_spawnattr_t attributes;
        posix_spawnattr_init(&attributes);
        sigset_t interrupts;
        sigemptyset(&interrupts);
        sigaddset(&interrupts, SIGINT);
        posix_spawnattr_setsigdefault(&attributes, &interrupts);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
        started_ = ::posix_spawn(&pid_, VALUELENS_BINARY, &actions, &attributes, raw.data(), environment.data()) == 0;
        posix_spawnattr_destroy(&attributes);
        posix_spawn_file_actions_destroy(&actions);
    }

    void signal(int number) const { ::kill(pid_, number); }
    pid_t id() const { return pid_; }

    /// What it has written to stderr so far.
    std::string error_output() const { return std::filesystem::exists(err_) ? read_file(err_) : std::string(); }

    /// Waits until stderr holds the words; false when the program ended before.
    bool wait_for_error_output(const std::string & words) const {
        return wait_until(
            [&] { return std::filesystem::exists(err_) && read_file(err_).find(words) != std::string::npos; });
    }

    /// Waits until the file is there; false when the program ended before.
    bool wait_for_file(const std::filesystem::path & file) const {
        return wait_until([&] { return std::filesystem::exists(file); });
    }

    ProgramResult wait() const {
        ProgramResult result;
        int status = 0;
        if (started_ && ::waitpid(pid_, &status, 0) == pid_) {
            result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
            result.out = read_file(out_);
            result.err = read_file(err_);
        }
        return result;
    }

private:
    template <typename Condition>
    bool wait_until(Condition && condition) const {
        using namespace std::chrono_literals;
        for (;;) {
            siginfo_t info{};
            ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
            if (condition()) {
                return true;
            }
            if (!started_ || info.si_pid == pid_) {
                return false;
            }
            std::this_thread::sleep_for(20ms);
        }
    }

    TempFolder folder_;
    std::filesystem::path out_ = folder_ / "out";
    std::filesystem::path err_ = folder_ / "err";
    pid_t pid_ = -1;
    bool started_ = false;
};

inline ProgramResult run_program(const std::vector<std::string> & arguments,
                                 const std::vector<std::string> & variables = {}) {
    return Program(arguments, variables).wait();
}

} // namespace valuelens::test
