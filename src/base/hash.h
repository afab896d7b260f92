#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace valuelens {

/// Streaming SHA-256. Not copyable; one thread at a time.
class Sha256 {
public:
    Sha256();
    ~Sha256();
    Sha256(const Sha256 &) = delete;
    Sha256 & operator=(const Sha256 &) = delete;

    void update(const void * data, std::size_t size);
    void update(std::string_view text) { update(text.data(), text.size()); }

    /// The digest as 64 lower-case hex digits. The object must not be used afterwards.
    std::string hex();

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// SHA-256 of a text, as hex.
std::string sha256_hex(std::string_view text);

/// SHA-256 of a whole file, read in blocks. Throws Error(bad_input) where the file cannot be read.
std::string sha256_file(const std::filesystem::path & path);

} // namespace valuelens
