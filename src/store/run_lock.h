#pragma once

#include <filesystem>
#include <string>

namespace valuelens {

/// Keeps a run folder to one process: an advisory flock on `<run>/lock`, in which process id, host and command stand
/// for whoever is turned away. Released when the object or the process ends.
class RunLock {
public:
    /// Throws Error(usage) naming the holder when the run is in use, Error(bad_input) when the file cannot be made.
    RunLock(const std::filesystem::path & run_dir, const std::string & command);
    ~RunLock();
    RunLock(const RunLock &) = delete;
    RunLock & operator=(const RunLock &) = delete;

private:
    int descriptor_ = -1;
};

} // namespace valuelens
