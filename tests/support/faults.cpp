#include "support/faults.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

struct State {
    std::atomic<bool> armed{false};
    std::string folder;
    FaultMode mode = faults_count;
    long at = 0;
    std::atomic<long> count{0};
    std::string report;
};

State & state() {
    static State instance;
    return instance;
}

template <typename Function>
Function * real(const char * name) {
    return reinterpret_cast<Function *>(::dlsym(RTLD_NEXT, name));
}

bool is_inside(const char * path) {
    char resolved[PATH_MAX] = "";
    if (path != nullptr && path[0] != '/' && ::getcwd(resolved, sizeof(resolved)) != nullptr) {
        const std::string whole = std::string(resolved) + "/" + path;
        return whole.compare(0, state().folder.size(), state().folder) == 0;
    }
    return path != nullptr && std::strncmp(path, state().folder.c_str(), state().folder.size()) == 0;
}

bool is_inside(int descriptor) {
    char link[64];
    std::snprintf(link, sizeof(link), "/proc/self/fd/%d", descriptor);
    char path[PATH_MAX];
    const ssize_t length = ::readlink(link, path, sizeof(path) - 1);
    if (length <= 0) {
        return false;
    }
    path[length] = 0;
    return is_inside(path);
}

/// Counts an operation; true when it is to fail.
template <typename Place>
bool fails(Place place, bool needs_space = true) {
    State & now = state();
    if (!now.armed.load() || !is_inside(place)) {
        return false;
    }
    const long number = now.count.fetch_add(1);
    if (now.mode == faults_kill && number == now.at) {
        ::kill(::getpid(), SIGKILL);
    }
    if (now.mode == faults_full && number >= now.at && needs_space) {
        errno = ENOSPC;
        return true;
    }
    return false;
}

bool skips_flush(int descriptor) {
    return state().armed.load() && is_inside(descriptor);
}

// What open() and open64() are but for the C library's name.
int open_unless_it_fails(const char * name, const char * path, int flags, va_list rest) {
    mode_t mode = 0;
    if ((flags & O_CREAT) != 0) {
        mode = va_arg(rest, mode_t);
        if (::access(path, F_OK) != 0 && fails(path)) {
            return -1;
        }
    }
    return real<int(const char *, int, ...)>(name)(path, flags, mode);
}

// VALUELENS_FAULTS = MODE:AT:FOLDER arms a program that this library is preloaded into; VALUELENS_FAULTS_REPORT names a
// file for the number of operations.
__attribute__((constructor)) void arm_from_environment() {
    const char * text = std::getenv("VALUELENS_FAULTS");
    if (text == nullptr) {
        return;
    }
    const std::string specification = text;
    const std::size_t first = specification.find(':');
    const std::size_t second = specification.find(':', first + 1);
    if (second == std::string::npos) {
        std::fputs("VALUELENS_FAULTS is MODE:AT:FOLDER\n", stderr);
        std::abort();
    }
    const std::string mode = specification.substr(0, first);
    faults_arm(specification.substr(second + 1).c_str(),
               mode == "full"   ? faults_full
               : mode == "kill" ? faults_kill
                                : faults_count,
               std::atol(specification.substr(first + 1).c_str()));
    if (const char * report = std::getenv("VALUELENS_FAULTS_REPORT")) {
        state().report = report;
    }
}

__attribute__((destructor)) void report_count() {
    if (!state().report.empty()) {
        const long count = faults_disarm();
        if (std::FILE * file = std::fopen(state().report.c_str(), "w")) {
            std::fprintf(file, "%ld\n", count);
            std::fclose(file);
        }
    }
}

} // namespace

extern "C" {

void faults_arm(const char * folder, FaultMode mode, long at) {
    State & now = state();
    now.armed = false;
    now.folder = folder;
    now.mode = mode;
    now.at = at;
    now.count = 0;
    now.armed = true;
}

long faults_disarm() {
    state().armed = false;
    return state().count;
}

int open(const char * path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    const int descriptor = open_unless_it_fails("open", path, flags, rest);
    va_end(rest);
    return descriptor;
}

int open64(const char * path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    const int descriptor = open_unless_it_fails("open64", path, flags, rest);
    va_end(rest);
    return descriptor;
}

ssize_t write(int descriptor, const void * data, size_t size) {
    static auto * const next = real<ssize_t(int, const void *, size_t)>("write");
    return fails(descriptor) ? -1 : next(descriptor, data, size);
}

ssize_t pwrite(int descriptor, const void * data, size_t size, off_t offset) {
    static auto * const next = real<ssize_t(int, const void *, size_t, off_t)>("pwrite");
    return fails(descriptor) ? -1 : next(descriptor, data, size, offset);
}

ssize_t pwrite64(int descriptor, const void * data, size_t size, off_t offset) {
    static auto * const next = real<ssize_t(int, const void *, size_t, off_t)>("pwrite64");
    return fails(descriptor) ? -1 : next(descriptor, data, size, offset);
}

int ftruncate(int descriptor, off_t size) {
    static auto * const next = real<int(int, off_t)>("ftruncate");
    return fails(descriptor) ? -1 : next(descriptor, size);
}

int ftruncate64(int descriptor, off_t size) {
    static auto * const next = real<int(int, off_t)>("ftruncate64");
    return fails(descriptor) ? -1 : next(descriptor, size);
}

int fsync(int descriptor) {
    static auto * const next = real<int(int)>("fsync");
    return fails(descriptor) ? -1 : skips_flush(descriptor) ? 0 : next(descriptor);
}

int fdatasync(int descriptor) {
    static auto * const next = real<int(int)>("fdatasync");
    return fails(descriptor) ? -1 : skips_flush(descriptor) ? 0 : next(descriptor);
}

int rename(const char * from, const char * to) noexcept {
    static auto * const next = real<int(const char *, const char *)>("rename");
    return fails(to) ? -1 : next(from, to);
}

int linkat(int from_folder, const char * from, int to_folder, const char * to, int flags) noexcept {
    static auto * const next = real<int(int, const char *, int, const char *, int)>("linkat");
    if (state().armed.load() && state().mode == faults_no_links && is_inside(to)) {
        errno = EPERM;
        return -1;
    }
    return fails(to) ? -1 : next(from_folder, from, to_folder, to, flags);
}

int mkdir(const char * path, mode_t mode) noexcept {
    static auto * const next = real<int(const char *, mode_t)>("mkdir");
    return fails(path) ? -1 : next(path, mode);
}

int unlink(const char * path) noexcept {
    static auto * const next = real<int(const char *)>("unlink");
    return fails(path, false) ? -1 : next(path);
}

int remove(const char * path) noexcept {
    static auto * const next = real<int(const char *)>("remove");
    return fails(path, false) ? -1 : next(path);
}
}
