#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace valuelens {

/// CRC-32 as zip, gzip and PNG use it (polynomial 0xEDB88320).
std::uint32_t crc32(std::string_view bytes);

/// One array of a .npz file, as numpy lays it out in memory (row-major, little-endian).
struct NpyArray {
    std::string descr; ///< numpy's type: "<f4", "<i8", "<U12", ...
    std::vector<std::size_t> shape;
    std::string bytes;
};

NpyArray npy_array(std::vector<std::size_t> shape, std::span<const float> values);
NpyArray npy_array(std::vector<std::size_t> shape, std::span<const std::int64_t> values);
/// A text as numpy's str_ of no dimension. ASCII only.
NpyArray npy_text(std::string_view text);

/// Writes arrays as numpy.savez does: a zip of stored .npy members, in the order of their names. Equal arrays give
/// equal bytes. The file appears whole or not at all. Throws Error(bad_input) beyond the 4 GiB of a plain zip.
void write_npz(const std::filesystem::path & path, const std::map<std::string, NpyArray> & arrays);

/// A .npz file of numpy.savez, read into memory. Throws Error(bad_input) that names the file and the array: no zip,
/// truncated, a checksum that is wrong, compressed members (numpy.savez_compressed), more than 4 GiB.
class NpzFile {
public:
    explicit NpzFile(const std::filesystem::path & path);

    std::vector<std::string> names() const;
    bool contains(const std::string & name) const { return members_.count(name) != 0; }

    /// The array, turned to row-major where it is not. Throws Error(bad_input): absent (lists what the file has), or of
    /// a type that is not little-endian floating point, whole numbers or text.
    NpyArray find(const std::string & name) const;

    /// Its numbers as float (f2, f4, f8). Throws Error(bad_input) for another type.
    std::vector<float> read_f32(const std::string & name) const;
    /// Its whole numbers (i4, i8). Throws Error(bad_input) for another type.
    std::vector<std::int64_t> read_i64(const std::string & name) const;
    /// The text of npy_text(). Empty for another type or for characters beyond ASCII.
    std::string read_text(const std::string & name) const;

private:
    std::filesystem::path path_;
    std::map<std::string, std::string> members_; ///< name without .npy -> the .npy file
};

} // namespace valuelens
