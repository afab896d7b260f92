#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/engine_options.h"
#include "valuelens/run.h"

namespace valuelens {

/// --run DIR, the folder of a run.
CLI::Option * add_run_option(CLI::App & command, std::string & run);

/// --shard I/N or auto: only that part of a run.
CLI::Option * add_shard_option(CLI::App & command, std::string & shard);

/// Puts the engine options that were given over a run's config.
void override_run_config(const EngineOptions & options, RunConfig & config);

/// What a run found, as a table for people and as JSON.
Outcome summary_outcome(const RunSummary & summary);

} // namespace valuelens
