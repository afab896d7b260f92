#pragma once

#include <string>
#include <vector>

namespace valuelens {

/// All parts of a GGUF model in order: the file itself, or the `-00001-of-0000N.gguf` series it begins.
/// Throws Error(model) for a missing part, naming it.
std::vector<std::string> gguf_parts(const std::string & path);

/// Checks that the file can be read, begins as a GGUF and is as long as its tensor table says.
/// Throws Error(model) with what is wrong.
void check_gguf(const std::string & path);

} // namespace valuelens
