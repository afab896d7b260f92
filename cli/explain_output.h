#pragma once

#include <string>

#include "cli/command.h"
#include "valuelens/explain.h"

namespace valuelens {

/// What `explain` found: a table by category.
Outcome explain_outcome(const ExplainSummary & summary, const std::string & output);

} // namespace valuelens
