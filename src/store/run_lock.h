#pragma once

#include <filesystem>
#include <string>

namespace valuelens {

/// Keeps a run folder to one process: an advisory flock on `<run>/lock`, in which process id, host, command and time
/// stand for whoever is turned away. The system releases it when the object or the process ends, however it ends; what
/// stands in the file locks nothing.
class RunLock {
public:
    enum class Kind {
        work, ///< nobody else may work on the run or read it
        read, ///< nobody may work on the run; others may read it. A folder that cannot be written needs no lock.
    };

    /// Throws Error(usage) naming the holder when the run is in use, Error(bad_input) when the file cannot be made.
    RunLock(const std::filesystem::path & run_dir, const std::string & command, Kind kind = Kind::work);
    RunLock(RunLock && other) noexcept : descriptor_(other.descriptor_) { other.descriptor_ = -1; }
    ~RunLock();
    RunLock(const RunLock &) = delete;
    RunLock & operator=(const RunLock &) = delete;

private:
    int descriptor_ = -1;
};

} // namespace valuelens
