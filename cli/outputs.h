#pragma once

#include <CLI/CLI.hpp>

namespace valuelens {

/// What holds for the files that any command writes: each has a name, and none is a file that another option names for
/// reading, or that the command writes as well. Throws Error(usage). Files whose names hold {value} are left to those
/// who fill it in.
void require_outputs_apart(const CLI::App & command);

} // namespace valuelens
