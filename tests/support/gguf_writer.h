#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"

namespace valuelens::test {

/// Writes a GGUF file (version 3) byte by byte, so that tests need no ggml. Sizes of a tensor begin with the contiguous
/// dimension, as in ggml.
class GgufWriter {
public:
    explicit GgufWriter(const std::string & architecture) { text("general.architecture", architecture); }

    void text(const std::string & key, const std::string & value) {
        begin_key(key, 8);
        append_text(keys_, value);
    }
    void number(const std::string & key, std::uint32_t value) {
        begin_key(key, 4);
        append(keys_, value);
    }
    void small_number(const std::string & key, std::uint16_t value) {
        begin_key(key, 2);
        append(keys_, value);
    }
    void flag(const std::string & key, bool value) {
        begin_key(key, 7);
        append(keys_, static_cast<std::uint8_t>(value ? 1 : 0));
    }
    void real(const std::string & key, float value) {
        begin_key(key, 6);
        append(keys_, value);
    }
    void texts(const std::string & key, const std::vector<std::string> & values) {
        begin_array(key, 8, values.size());
        for (const std::string & value : values) {
            append_text(keys_, value);
        }
    }
    void reals(const std::string & key, const std::vector<float> & values) {
        begin_array(key, 6, values.size());
        for (const float value : values) {
            append(keys_, value);
        }
    }
    void numbers(const std::string & key, const std::vector<std::int32_t> & values) {
        begin_array(key, 5, values.size());
        for (const std::int32_t value : values) {
            append(keys_, value);
        }
    }

    /// Data of any type of ggml, by its number.
    void tensor(const std::string & name, const std::vector<std::uint64_t> & sizes, std::uint32_t type,
                const std::string & data) {
        append_text(tensors_, name);
        append(tensors_, static_cast<std::uint32_t>(sizes.size()));
        for (const std::uint64_t size : sizes) {
            append(tensors_, size);
        }
        append(tensors_, type);
        append(tensors_, static_cast<std::uint64_t>(data_.size()));
        data_ += data;
        pad(data_);
        ++n_tensors_;
    }
    void tensor(const std::string & name, const std::vector<std::uint64_t> & sizes, const std::vector<float> & values) {
        std::string bytes(values.size() * sizeof(float), '\0');
        std::memcpy(bytes.data(), values.data(), bytes.size());
        tensor(name, sizes, 0, bytes);
    }

    std::string write(const std::filesystem::path & path) const {
        std::string file = "GGUF";
        append(file, std::uint32_t{3});
        append(file, n_tensors_);
        append(file, n_keys_);
        file += keys_ + tensors_;
        pad(file);
        write_file(path, file + data_);
        return path.string();
    }

private:
    template <typename T>
    static void append(std::string & to, const T & value) {
        to.append(reinterpret_cast<const char *>(&value), sizeof(value));
    }
    static void append_text(std::string & to, const std::string & text) {
        append(to, static_cast<std::uint64_t>(text.size()));
        to += text;
    }
    static void pad(std::string & to) { to.resize((to.size() + 31) / 32 * 32, '\0'); }
    void begin_key(const std::string & key, std::uint32_t type) {
        append_text(keys_, key);
        append(keys_, type);
        ++n_keys_;
    }
    void begin_array(const std::string & key, std::uint32_t type, std::size_t size) {
        begin_key(key, 9);
        append(keys_, type);
        append(keys_, static_cast<std::uint64_t>(size));
    }

    std::uint64_t n_keys_ = 0;
    std::uint64_t n_tensors_ = 0;
    std::string keys_;
    std::string tensors_;
    std::string data_;
};

} // namespace valuelens::test
