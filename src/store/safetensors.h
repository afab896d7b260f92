#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"

namespace valuelens {

/// Element types that are read and written (BF16 is only read as numbers).
enum class DType { f32, f16, bf16, f64, i32, i64, u8 };

/// The name in the file format: "F32", ...
const char * to_string(DType dtype);
std::size_t dtype_size(DType dtype);

/// Writes a .safetensors file that appears whole or not at all. The bytes depend on what is declared and written alone:
/// tensors lie in the order of their declaration, metadata keys are sorted.
///
/// Order of use: set_metadata() and declare() for all tensors, then data for any tensor in any order, then commit().
/// Data goes straight to the file, nothing is held. Misuse (unknown name, too many or too few bytes) is
/// Error(internal); a full disk is Error(bad_input). Without commit() the target is untouched.
class SafetensorsWriter {
public:
    explicit SafetensorsWriter(std::filesystem::path path);

    /// Replaces the `__metadata__` map.
    void set_metadata(std::map<std::string, std::string> metadata);

    /// Adds a tensor. An empty shape is a scalar.
    void declare(const std::string & name, DType dtype, std::vector<std::size_t> shape);

    /// The next bytes of a tensor (one row, several, or all).
    void append(const std::string & name, const void * data, std::size_t bytes);

    /// The next elements of an F32 tensor, or of an F16 tensor (rounded to nearest).
    void append(const std::string & name, std::span<const float> values);

    /// Bytes at a place of a tensor, for rows that come out of order. Each byte is to be written once: they are
    /// counted.
    void write_at(const std::string & name, std::size_t offset, const void * data, std::size_t bytes);

    void commit();

private:
    struct Entry {
        std::string name;
        DType dtype;
        std::vector<std::size_t> shape;
        std::uint64_t begin = 0; ///< from the start of the data section
        std::uint64_t size = 0;
        std::uint64_t appended = 0;
        std::uint64_t written = 0;
    };

    Entry & entry(const std::string & name);
    void write_header();

    std::filesystem::path path_;
    AtomicFile file_;
    std::map<std::string, std::string> metadata_;
    std::vector<Entry> entries_;
    std::map<std::string, std::size_t> places_;
    std::uint64_t data_begin_ = 0; ///< 0: the header is not yet written
};

/// A tensor of float32 for write_safetensors().
struct FloatTensor {
    std::string name;
    std::vector<std::size_t> shape;
    std::span<const float> values;
};

/// Writes a file of float32 tensors in one go.
void write_safetensors(const std::filesystem::path & path, std::span<const FloatTensor> tensors,
                       const std::map<std::string, std::string> & metadata);

/// A tensor inside a mapped file; valid as long as the SafetensorsFile (or a copy of it) lives. `bytes` is
/// little-endian, row-major and may be unaligned.
struct TensorView {
    std::string name;
    DType dtype = DType::f32;
    std::vector<std::size_t> shape;
    std::span<const std::byte> bytes;

    std::size_t count() const { return bytes.size() / dtype_size(dtype); }
};

/// A .safetensors file, memory-mapped and fully validated: header, dtypes, shapes against bytes, offsets inside the
/// file, no overlap, no holes. Anything wrong is an Error(bad_input) that names the file and the tensor. Copies share
/// the mapping. Safe for concurrent reads.
class SafetensorsFile {
public:
    explicit SafetensorsFile(const std::filesystem::path & path);

    /// A file that lies in memory for as long as this object and its views are used (shipped data). `name` stands in
    /// errors.
    static SafetensorsFile from_memory(std::string_view contents, const std::filesystem::path & name);

    const std::filesystem::path & path() const { return path_; }
    const std::map<std::string, std::string> & metadata() const { return metadata_; }

    /// Tensor names in the order of their data.
    std::vector<std::string> names() const;

    bool contains(const std::string & name) const { return places_.count(name) != 0; }

    /// Throws Error(bad_input) that lists what the file has, when the tensor is absent.
    const TensorView & find(const std::string & name) const;

    /// All elements as float32, converted from F16, BF16 or F64. Throws Error(bad_input) for an integer tensor.
    std::vector<float> read_f32(const std::string & name) const;

    /// Takes the pages that were read out of this process's memory; they stay in the system's cache, and views stay
    /// valid.
    void release_pages() const;

private:
    SafetensorsFile() = default;
    void parse_header(std::span<const char> contents);

    std::filesystem::path path_;
    std::shared_ptr<const char> mapping_;
    std::size_t mapped_bytes_ = 0; ///< 0: the contents are not ours
    std::map<std::string, std::string> metadata_;
    std::vector<TensorView> tensors_;
    std::map<std::string, std::size_t> places_;
};

/// Counts what is read of mapped files, so that they do not pile up in the process's memory. Safe for concurrent use.
class ReadBudget {
public:
    /// Notes a read; true when it is time for release_pages() on all files that were read.
    bool spend(std::size_t bytes);

private:
    std::atomic<std::size_t> spent_{0};
};

} // namespace valuelens
