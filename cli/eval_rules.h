#pragma once

#include "cli/command.h"

namespace valuelens {

/// The subcommands of `eval` whose answers are scored by rules: instructions, diversity, leakage, cross-lingual.
void setup_rule_evaluations(CLI::App & eval, Context & context);

} // namespace valuelens
