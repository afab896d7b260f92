#include "registry/cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/fail.h"
#include "base/file.h"
#include "base/hash.h"

namespace valuelens {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::milliseconds lock_interval{100};

struct FileState {
    std::uint64_t bytes = 0;
    std::int64_t modified_ns = 0;
};

std::optional<FileState> file_state(const fs::path & path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
        return std::nullopt;
    }
    return FileState{static_cast<std::uint64_t>(status.st_size),
                     status.st_mtim.tv_sec * 1'000'000'000LL + status.st_mtim.tv_nsec};
}

fs::path seal_path(const fs::path & path) {
    fs::path seal = path;
    seal += ".json";
    return seal;
}

struct Seal {
    FileState state;
    std::string sha256;
    std::string source_sha256;
};

std::optional<Seal> read_seal(const fs::path & path) {
    if (!fs::exists(seal_path(path))) {
        return std::nullopt;
    }
    try {
        const nlohmann::json json = nlohmann::json::parse(read_file(seal_path(path)));
        return Seal{{json.at("bytes").get<std::uint64_t>(), json.at("modified_ns").get<std::int64_t>()},
                    json.at("sha256").get<std::string>(),
                    json.at("source_sha256").get<std::string>()};
    } catch (const nlohmann::json::exception &) {
        return std::nullopt; // an unreadable seal proves nothing: the same as none
    }
}

} // namespace

void seal_cached(const fs::path & path, const std::string & sha256, const std::string & source_sha256) {
    const auto state = file_state(path);
    if (!state) {
        fail(ErrorKind::bad_input, "{}: vanished from the cache while it was being made", path.string());
    }
    const nlohmann::json json{{"bytes", state->bytes},
                              {"modified_ns", state->modified_ns},
                              {"sha256", sha256},
                              {"source_sha256", source_sha256}};
    write_file(seal_path(path), json.dump(2) + "\n");
}

CacheState check_cached(const fs::path & path, const std::string & source_sha256,
                        const std::optional<std::string> & known_sha256) {
    const auto state = file_state(path);
    if (!state) {
        return CacheState::absent;
    }
    const std::optional<Seal> seal = read_seal(path);
    if (seal && seal->source_sha256 != source_sha256) {
        return CacheState::absent;
    }
    if (seal && seal->state.bytes != state->bytes) {
        return CacheState::damaged;
    }
    if (seal && seal->state.modified_ns == state->modified_ns) {
        return CacheState::whole;
    }
    const std::optional<std::string> expected = seal ? std::optional(seal->sha256) : known_sha256;
    if (!expected) {
        return CacheState::absent;
    }
    if (sha256_file(path) != *expected) {
        return CacheState::damaged;
    }
    try {
        seal_cached(path, *expected, source_sha256);
    } catch (const Error &) {
        // A cache that others own may be read-only: the file is good all the same, and is hashed again next time.
    }
    return CacheState::whole;
}

FileLock::FileLock(const fs::path & path, const std::string & waiting, ProgressSink & progress, std::stop_token stop)
    : descriptor_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
    if (descriptor_ < 0) {
        fail(ErrorKind::bad_input, "{}: cannot be created ({})", path.string(), std::strerror(errno));
    }
    bool told = false;
    while (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
        const int cause = errno;
        if (cause != EWOULDBLOCK && cause != EINTR) {
            ::close(descriptor_);
            fail(ErrorKind::bad_input, "{}: cannot be locked ({})", path.string(), std::strerror(cause));
        }
        if (stop.stop_requested()) {
            ::close(descriptor_);
            fail(ErrorKind::interrupted, "stopped while waiting: {}", waiting);
        }
        if (!told) {
            progress.message(LogLevel::info, waiting);
            told = true;
        }
        std::this_thread::sleep_for(lock_interval);
    }
}

FileLock::~FileLock() {
    ::close(descriptor_); // gives the lock up
}

} // namespace valuelens
