#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>

namespace valuelens::test {

/// A small file system in memory, seen by this process and those it starts alone.
class SmallDisk {
public:
    SmallDisk(std::filesystem::path folder, std::size_t kilobytes) : folder_(std::move(folder)) {
        std::filesystem::create_directories(folder_);
        if (own_mounts() && ::mount("tmpfs", folder_.c_str(), "tmpfs", 0, options(kilobytes).c_str()) == 0) {
            mounted_ = true;
        } else {
            problem_ = std::strerror(errno);
        }
    }
    ~SmallDisk() {
        if (mounted_) {
            ::umount2(folder_.c_str(), MNT_DETACH);
        }
    }
    SmallDisk(const SmallDisk &) = delete;
    SmallDisk & operator=(const SmallDisk &) = delete;

    /// Empty where it is there; else why not.
    const std::string & problem() const { return problem_; }
    const std::filesystem::path & folder() const { return folder_; }

    bool resize(std::size_t kilobytes) const {
        return ::mount("tmpfs", folder_.c_str(), "tmpfs", MS_REMOUNT, options(kilobytes).c_str()) == 0;
    }
    bool make_read_only(std::size_t kilobytes) const {
        return ::mount("tmpfs", folder_.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, options(kilobytes).c_str()) == 0;
    }

private:
    static std::string options(std::size_t kilobytes) { return fmt::format("size={}k", kilobytes); }

    static bool write_text(const char * file, const std::string & text) {
        const int descriptor = ::open(file, O_WRONLY | O_CLOEXEC);
        const bool written =
            descriptor >= 0 && ::write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size());
        if (descriptor >= 0) {
            ::close(descriptor);
        }
        return written;
    }

    /// Once per process: a mount namespace of its own, for others than root within a user namespace.
    static bool own_mounts() {
        static const bool done = [] {
            const uid_t user = ::geteuid();
            const gid_t group = ::getegid();
            if (user == 0) {
                if (::unshare(CLONE_NEWNS) != 0) {
                    return false;
                }
            } else {
                if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
                    return false;
                }
                write_text("/proc/self/setgroups", "deny");
                if (!write_text("/proc/self/uid_map", fmt::format("0 {} 1", user)) ||
                    !write_text("/proc/self/gid_map", fmt::format("0 {} 1", group))) {
                    return false;
                }
            }
            return ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
        }();
        return done;
    }

    std::filesystem::path folder_;
    std::string problem_;
    bool mounted_ = false;
};

} // namespace valuelens::test
