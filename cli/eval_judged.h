#pragma once

#include "cli/command.h"

namespace valuelens {

/// The subcommands of `eval` whose generated texts are judged: freeform, dilemmas, compliance.
void setup_judged_evaluations(CLI::App & eval, Context & context);

} // namespace valuelens
