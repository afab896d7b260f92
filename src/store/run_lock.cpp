#include "store/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <sstream>

#include "base/fail.h"

namespace valuelens {

namespace {

std::string host_name() {
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

std::string utc_now() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    std::array<char, 32> text{};
    return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

/// Lines (process, host, command, time) as "process P on host H (command) since T".
std::string describe_holder(int descriptor) {
    std::array<char, 4096> text{};
    const ssize_t length = ::pread(descriptor, text.data(), text.size(), 0);
    std::istringstream lines(std::string(text.data(), length > 0 ? static_cast<std::size_t>(length) : 0));
    std::string process, host, command, since;
    if (!std::getline(lines, process) || !std::getline(lines, host) || !std::getline(lines, command) ||
        !std::getline(lines, since)) {
        return "another process";
    }
    return fmt::format("process {} on host {} ({}) since {}", process, host, command, since);
}

} // namespace

RunLock::RunLock(const std::filesystem::path & run_dir, const std::string & command, Kind kind) {
    const std::filesystem::path path = run_dir / "lock";
    descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor_ < 0) {
        if (kind == Kind::read && (errno == EROFS || errno == EACCES)) {
            return;
        }
        fail(ErrorKind::bad_input, "{}: cannot be opened ({})", path.string(), std::strerror(errno));
    }
    int locked = 0;
    do {
        locked = ::flock(descriptor_, (kind == Kind::work ? LOCK_EX : LOCK_SH) | LOCK_NB);
    } while (locked != 0 && errno == EINTR);
    if (locked != 0) {
        const int cause = errno;
        const std::string holder = cause == EWOULDBLOCK ? describe_holder(descriptor_) : std::string();
        ::close(descriptor_);
        if (cause == EWOULDBLOCK) {
            fail(ErrorKind::usage, "run folder {} is in use by {}; wait for it or choose another --run",
                 run_dir.string(), holder);
        }
        fail(ErrorKind::bad_input, "{}: cannot be locked ({})", path.string(), std::strerror(cause));
    }

    // What is written here is only for the message above: a failure does not weaken the lock.
    std::string one_line = command;
    for (char & letter : one_line) {
        letter = letter == '\n' ? ' ' : letter;
    }
    const std::string holder = fmt::format("{}\n{}\n{}\n{}\n", ::getpid(), host_name(), one_line, utc_now());
    if (::ftruncate(descriptor_, 0) == 0) {
        [[maybe_unused]] const ssize_t written = ::pwrite(descriptor_, holder.data(), holder.size(), 0);
    }
}

RunLock::~RunLock() {
    // The file stays: removing it would let two processes hold locks on two files of the same name.
    if (descriptor_ >= 0) {
        ::close(descriptor_);
    }
}

} // namespace valuelens
