#pragma once

#include <stop_token>
#include <string>
#include <vector>

namespace valuelens {

struct ProcessResult {
    int exit_code = 0;        ///< 128 + signal where a signal ended it
    std::string error_output; ///< what it wrote to stderr
};

/// Runs `command` (program looked up in PATH, then its arguments; no shell) with no input and its stdout dropped, and
/// waits. A stop request ends it with SIGTERM (SIGKILL where that does not help within seconds) and throws
/// Error(interrupted). Throws Error(model) where the program cannot be started.
ProcessResult run_process(const std::vector<std::string> & command, std::stop_token stop = {});

} // namespace valuelens
