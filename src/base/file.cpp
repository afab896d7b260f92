#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <vector>

#include "base/fail.h"

namespace valuelens {

namespace fs = std::filesystem;

namespace {

constexpr const char * side_ending = ".partial";

/// A name beside the target that no other file of this or another process has.
fs::path side_name(const fs::path & target) {
    static std::atomic<unsigned> counter{0};
    fs::path side = target;
    side += fmt::format(".{}.{}{}", ::getpid(), counter++, side_ending);
    return side;
}

/// Throws, from errno, unless `ok`.
void check(bool ok, const fs::path & target, const char * action) {
    if (ok) {
        return;
    }
    const int cause = errno;
    const char * hint =
        cause == ENOSPC || cause == EDQUOT ? "; free some disk space and run the same command again" : "";
    fail(ErrorKind::bad_input, "{}: cannot be {} ({}){}", target.string(), action, std::strerror(cause), hint);
}

/// What a rename may replace: the file behind a link, and never a device, a pipe or a folder.
fs::path replaceable(fs::path target) {
    std::error_code ignored;
    constexpr int most_links = 40; // as the system; a circle of links is said when the file is opened
    for (int i = 0; i < most_links && fs::is_symlink(target, ignored); ++i) {
        const fs::path link = fs::read_symlink(target, ignored);
        target = link.is_absolute() ? link : target.parent_path() / link;
    }
    const fs::file_status status = fs::status(target, ignored);
    if (fs::is_directory(status)) {
        fail(ErrorKind::bad_input, "{}: is a folder; give the name of a file", target.string());
    }
    if (fs::exists(status) && !fs::is_regular_file(status)) {
        fail(ErrorKind::bad_input, "{}: is a device or a pipe, which cannot be replaced; give the name of a file",
             target.string());
    }
    return target;
}

} // namespace

AtomicFile::AtomicFile(fs::path target) : target_(replaceable(std::move(target))) {
    side_ = side_name(target_);
    descriptor_ = ::open(side_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    check(descriptor_ >= 0, target_, "created");
}

AtomicFile::~AtomicFile() {
    if (descriptor_ >= 0) {
        ::close(descriptor_);
        ::unlink(side_.c_str());
    }
}

void AtomicFile::write(const void * data, std::size_t size) {
    write_at(size_, data, size);
}

void AtomicFile::write_at(std::uint64_t offset, const void * data, std::size_t size) {
    const char * bytes = static_cast<const char *>(data);
    std::size_t done = 0;
    while (done < size) {
        const ssize_t step = ::pwrite(descriptor_, bytes + done, size - done, static_cast<off_t>(offset + done));
        if (step < 0 && errno == EINTR) {
            continue;
        }
        check(step > 0, target_, "written");
        done += static_cast<std::size_t>(step);
    }
    size_ = std::max(size_, offset + size);
}

void AtomicFile::commit() {
    check(::fsync(descriptor_) == 0, target_, "flushed to disk");
    const int closed = ::close(descriptor_);
    descriptor_ = -1;
    try {
        check(closed == 0, target_, "closed");
        put_in_place(side_, target_);
    } catch (const Error &) {
        ::unlink(side_.c_str());
        throw;
    }
}

void put_in_place(const fs::path & finished, const fs::path & target) {
    check(::rename(finished.c_str(), target.c_str()) == 0, target, "put in place");
    // The rename itself must survive a power cut: flush the folder that holds the name.
    const fs::path folder = target.has_parent_path() ? target.parent_path() : fs::path(".");
    const int directory = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory >= 0) {
        ::fsync(directory);
        ::close(directory);
    }
}

bool link_or_copy(const fs::path & source, const fs::path & target) {
    // Linked under another name first: a file that is there stays until the new one takes its place.
    const fs::path side = side_name(target);
    if (::linkat(AT_FDCWD, source.c_str(), AT_FDCWD, side.c_str(), AT_SYMLINK_FOLLOW) == 0) {
        std::error_code ignored;
        if (fs::equivalent(source, target, ignored)) { // renaming one link of a file over another does nothing
            ::unlink(side.c_str());
            return true;
        }
        try {
            put_in_place(side, target);
        } catch (const Error &) {
            ::unlink(side.c_str());
            throw;
        }
        return true;
    }
    std::ifstream stream(source, std::ios::binary);
    check(static_cast<bool>(stream), source, "read");
    AtomicFile copy(target);
    std::vector<char> block(1 << 20);
    while (stream.read(block.data(), static_cast<std::streamsize>(block.size())) || stream.gcount() > 0) {
        copy.write(block.data(), static_cast<std::size_t>(stream.gcount()));
    }
    check(!stream.bad(), source, "read");
    copy.commit();
    return false;
}

void remove_side_files(const fs::path & target) {
    const fs::path folder = target.has_parent_path() ? target.parent_path() : fs::path(".");
    const std::string begin = target.filename().string() + ".";
    std::error_code ignored;
    for (const fs::directory_entry & entry : fs::directory_iterator(folder, ignored)) {
        if (entry.path().extension() == side_ending && entry.path().filename().string().starts_with(begin)) {
            fs::remove(entry.path(), ignored);
        }
    }
}

void write_file(const fs::path & path, std::string_view contents) {
    AtomicFile file(path);
    file.write(contents);
    file.commit();
}

namespace {

std::ifstream open_for_reading(const fs::path & path) {
    std::error_code ignored;
    if (fs::is_directory(path, ignored)) {
        fail(ErrorKind::bad_input, "{}: is a folder, a file was expected", path.string());
    }
    std::ifstream stream(path, std::ios::binary);
    if (!stream) {
        fail(ErrorKind::bad_input, "{}: cannot be read ({})", path.string(), std::strerror(errno));
    }
    return stream;
}

} // namespace

std::string read_file(const fs::path & path) {
    std::ifstream stream = open_for_reading(path);
    std::string contents((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
    if (stream.bad()) {
        fail(ErrorKind::bad_input, "{}: reading failed", path.string());
    }
    return contents;
}

void for_each_line(const fs::path & path, const std::function<void(std::string_view, std::size_t)> & line) {
    std::ifstream stream = open_for_reading(path);
    std::string text;
    std::size_t number = 0;
    while (std::getline(stream, text)) {
        ++number;
        std::string_view view = text;
        if (number == 1 && view.starts_with("\xEF\xBB\xBF")) {
            view.remove_prefix(3);
        }
        if (view.ends_with('\r')) {
            view.remove_suffix(1);
        }
        line(view, number);
    }
    if (stream.bad()) {
        fail(ErrorKind::bad_input, "{}: reading failed after line {}", path.string(), number);
    }
}

fs::path cache_home() {
    const auto variable = [](const char * name) -> fs::path {
        const char * text = std::getenv(name);
        return text == nullptr ? fs::path() : fs::path(text);
    };
    if (const fs::path own = variable("VALUELENS_HOME"); !own.empty()) {
        return own;
    }
    if (const fs::path shared = variable("XDG_CACHE_HOME"); !shared.empty()) {
        return shared / "valuelens";
    }
    return variable("HOME") / ".cache" / "valuelens";
}

} // namespace valuelens
