#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace valuelens {

/// A file of data/ that was put into the binary at build time.
struct EmbeddedFile {
    std::string_view path;     ///< relative to data/, for example "concepts/schwartz10.toml"
    std::string_view contents; ///< lives as long as the program
};

/// All shipped files, sorted by path. Defined by the build (cmake/EmbedData.cmake);
/// a folder that calls it links valuelens_embedded_data.
std::span<const EmbeddedFile> embedded_files();

/// The shipped file of that path, or nothing.
inline std::optional<std::string_view> find_embedded(std::string_view path) {
    for (const EmbeddedFile & file : embedded_files()) {
        if (file.path == path) {
            return file.contents;
        }
    }
    return std::nullopt;
}

} // namespace valuelens
