#include "registry/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "base/fail.h"

extern char ** environ;

namespace valuelens {

namespace {

constexpr std::chrono::milliseconds poll_interval{100};
constexpr std::chrono::seconds patience{3};

pid_t spawn(const std::vector<std::string> & command, int error_pipe) {
    std::vector<char *> arguments;
    for (const std::string & word : command) {
        arguments.push_back(const_cast<char *>(word.c_str()));
    }
    arguments.push_back(nullptr);

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, error_pipe, STDERR_FILENO);
    pid_t child = 0;
    const int problem = ::posix_spawnp(&child, command.front().c_str(), &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (problem != 0) {
        fail(ErrorKind::model, "{} cannot be started ({})", command.front(), std::strerror(problem));
    }
    return child;
}

int exit_code_of(int status) {
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/// Ends the child, in good order if it takes the hint.
void end_process(pid_t child) {
    ::kill(child, SIGTERM);
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (std::chrono::steady_clock::now() < deadline) {
        if (::waitpid(child, nullptr, WNOHANG) != 0) {
            return;
        }
        std::this_thread::sleep_for(poll_interval);
    }
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
}

} // namespace

ProcessResult run_process(const std::vector<std::string> & command, std::stop_token stop) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        fail(ErrorKind::internal, "no pipe for {} ({})", command.front(), std::strerror(errno));
    }
    pid_t child = 0;
    try {
        child = spawn(command, ends[1]);
    } catch (...) {
        ::close(ends[0]);
        ::close(ends[1]);
        throw;
    }
    ::close(ends[1]);

    // The pipe's end of file means that the child, and all it started, have closed their stderr.
    ProcessResult result;
    std::array<char, 4096> block{};
    while (true) {
        if (stop.stop_requested()) {
            ::close(ends[0]);
            end_process(child);
            fail(ErrorKind::interrupted, "stopped while {} was running", command.front());
        }
        pollfd waiting{ends[0], POLLIN, 0};
        if (::poll(&waiting, 1, static_cast<int>(poll_interval.count())) <= 0) {
            continue;
        }
        const ssize_t size = ::read(ends[0], block.data(), block.size());
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size <= 0) {
            break;
        }
        result.error_output.append(block.data(), static_cast<std::size_t>(size));
    }
    ::close(ends[0]);

    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    result.exit_code = exit_code_of(status);
    return result;
}

} // namespace valuelens
