#pragma once

#include "cli/command.h"

namespace valuelens {

/// `judge export` and `judge import`, below `judge`.
void setup_judge_batch(CLI::App & judge, Context & context);

} // namespace valuelens
