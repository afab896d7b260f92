#pragma once

#include <string>

#include "cli/command.h"
#include "valuelens/evaluation.h"

namespace valuelens {

/// The result of an evaluation as tables, one per measure, and as JSON: what the file holds, without the items.
Outcome describe_evaluation(const Evaluation & evaluation, const std::string & output);

} // namespace valuelens
