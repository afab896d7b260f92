#pragma once

#include <string>

namespace valuelens {

/// Starts llama.cpp once per process and takes over its log: nothing of it is printed.
void ensure_backend();

/// The last error or warning lines that llama.cpp logged on this thread since the last call, joined by "; ".
/// Empty when there are none.
std::string take_backend_errors();

} // namespace valuelens
