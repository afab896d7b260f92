#pragma once

#include "cli/command.h"
#include "valuelens/judge.h"

namespace valuelens {

/// How well a judge agrees with people, as a table and as JSON.
Outcome judge_outcome(const JudgeCheck & check);

} // namespace valuelens
