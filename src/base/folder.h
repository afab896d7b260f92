#pragma once

#include <filesystem>

namespace valuelens {

/// Makes a folder, and those above it, where it does not exist. Throws Error(bad_input) that names it and the cause.
void make_folder(const std::filesystem::path & folder);

} // namespace valuelens
