#pragma once

#include <CLI/CLI.hpp>

#include <optional>
#include <string>
#include <vector>

#include "pipeline/watch.h"

namespace valuelens {

/// --watch and --watch-layers: which directions of a file are looked at, and where.
struct WatchArguments {
    std::vector<std::string> keys;
    std::string layers;
};

void add_watch_options(CLI::App & command, WatchArguments & arguments, const char * group);

/// Throws Error(usage) for layers that are no range.
WatchOptions to_watch_options(const std::string & file, const WatchArguments & arguments);

/// --defend off, flagged or all.
CLI::Option * add_defend_option(CLI::App & command, std::string & defend, const char * group);

} // namespace valuelens
