#pragma once

#include <string>

#include "cli/command.h"
#include "valuelens/vectors.h"

namespace valuelens {

/// Counts and the highest AUROC of each value and condition; as JSON all statistics. `output`: the file they are in.
Outcome vectors_outcome(const ValueVectorSet & set, const std::string & output);

} // namespace valuelens
