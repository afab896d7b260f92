#pragma once

#include <string>

#include "cli/command.h"
#include "valuelens/decompose.h"

namespace valuelens {

/// What `decompose` found, as tables for people and as JSON with all of it but the tensors. `output`: the file they are
/// in.
Outcome axes_outcome(const AxisSet & set, const std::string & output);

} // namespace valuelens
