#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace valuelens {

/// A file that a command writes, and what named it: "--output result.json".
struct WrittenFile {
    std::string named;
    std::filesystem::path path;
};

/// Throws Error(usage) where a file to be written is one of those that are read, or is written twice: either would be
/// lost. Links, and other ways to write a path, hide nothing. Files to be read need not exist; empty paths are none.
void require_output_apart(std::span<const WrittenFile> written, std::span<const std::filesystem::path> read);

} // namespace valuelens
