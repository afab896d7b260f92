#pragma once

#include <string>

#include "cli/command.h"

namespace valuelens {

/// What a file of ours holds (pipeline/inspect_file.h), with its headline numbers.
Outcome inspection_outcome(const std::string & file);

} // namespace valuelens
