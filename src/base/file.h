#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace valuelens {

/// A file that appears whole or not at all: written beside its target, flushed to disk, then renamed
/// over it. Without commit() the target is untouched and the side file is removed.
/// Every failure (disk full, read-only folder) is an Error(bad_input) that names the path and the cause.
class AtomicFile {
public:
    explicit AtomicFile(std::filesystem::path target);
    ~AtomicFile();
    AtomicFile(const AtomicFile &) = delete;
    AtomicFile & operator=(const AtomicFile &) = delete;

    void write(const void * data, std::size_t size);
    void write(std::string_view text) { write(text.data(), text.size()); }

    /// Overwrites bytes already written at `offset` (for headers that are known last).
    void write_at(std::uint64_t offset, const void * data, std::size_t size);

    std::uint64_t size() const { return size_; }

    void commit();

private:
    std::filesystem::path target_;
    std::filesystem::path side_;
    int descriptor_ = -1;
    std::uint64_t size_ = 0;
};

/// Renames a finished file over its target so that a power cut does not undo it. Throws as AtomicFile.
void put_in_place(const std::filesystem::path & finished, const std::filesystem::path & target);

/// Gives `source` a second name, `target`: a hard link where the file system can, else a copy that appears whole or not
/// at all. A file that is there already is replaced. Returns whether it is a link. Throws as AtomicFile.
bool link_or_copy(const std::filesystem::path & source, const std::filesystem::path & target);

/// Removes the side files that a killed process left beside `target`, if any. The caller makes sure that nobody is
/// writing it.
void remove_side_files(const std::filesystem::path & target);

/// Writes a whole text file atomically.
void write_file(const std::filesystem::path & path, std::string_view contents);

/// Reads a whole file. Throws Error(bad_input) naming the path and the cause.
std::string read_file(const std::filesystem::path & path);

/// Calls `line(text, number)` for each line (1-based; without the line break, a UTF-8 byte-order mark and a
/// trailing \r removed), streaming. Throws Error(bad_input) where the file cannot be read.
void for_each_line(const std::filesystem::path & path, const std::function<void(std::string_view, std::size_t)> & line);

/// The cache of downloads and converted models: $VALUELENS_HOME, else $XDG_CACHE_HOME/valuelens, else
/// ~/.cache/valuelens.
std::filesystem::path cache_home();

} // namespace valuelens
