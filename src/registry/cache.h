#pragma once

#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>

#include "valuelens/progress.h"

namespace valuelens {

/// What a check of a cached file found.
enum class CacheState {
    absent,  ///< no file, or one whose making did not end
    whole,   ///< verified
    damaged, ///< it was whole once and is no longer
};

/// Records beside `path` (in `path`.json) that the file as it is now is whole: its SHA-256, size and time, and the
/// SHA-256 of the model it was made from.
void seal_cached(const std::filesystem::path & path, const std::string & sha256, const std::string & source_sha256);

/// Compares a cached file with its seal. Size and time decide; the file is read and hashed only where the time differs
/// (then it is sealed anew) or where there is no seal and the hash is known from elsewhere (`known_sha256`). A seal for
/// another source counts as absent.
CacheState check_cached(const std::filesystem::path & path, const std::string & source_sha256,
                        const std::optional<std::string> & known_sha256 = std::nullopt);

/// Holds an advisory lock (flock) on a file for its life: among all threads and processes one at a time.
class FileLock {
public:
    /// Waits for the lock; says once, as `waiting`, that it has to. Throws Error(interrupted) on a stop request,
    /// Error(bad_input) where the lock file cannot be made.
    FileLock(const std::filesystem::path & path, const std::string & waiting, ProgressSink & progress,
             std::stop_token stop);
    ~FileLock();
    FileLock(const FileLock &) = delete;
    FileLock & operator=(const FileLock &) = delete;

private:
    int descriptor_ = -1;
};

} // namespace valuelens
