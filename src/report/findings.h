#pragma once

#include "report/json.h"

namespace valuelens {

/// What the numbers say, each as {"id", "question", "answer", "verdict", "rule", "section"}: the answer is a sentence
/// with its numbers and intervals, the verdict "clear", "partly", "not shown" or "not measured" by the stated rule
/// (docs/report.md). Layer: `model["layer"]`, the middle of the model, fixed beforehand.
Json findings(const Json & model);

/// What a reader must know before believing the findings: {"text", "section"}, plain sentences.
Json warnings(const Json & model);

/// What would make the report say more: {"text", "command"}; missing parts first, then what a next look is worth.
Json next_steps(const Json & model);

} // namespace valuelens
