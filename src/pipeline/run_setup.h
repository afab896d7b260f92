#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "store/run_db.h"
#include "valuelens/run.h"

namespace valuelens {

inline constexpr const char * config_file = "config.toml";
inline constexpr const char * database_file = "run.sqlite";

/// "i/n" as (i, n), nothing as (0, 1). Throws Error(usage) for anything else.
std::pair<int, int> parse_shard(const std::string & text);

/// The config asked for, or the run's own, with the command line's options over it and all ranges checked.
RunConfig wanted_config(const RunRequest & request);

/// The run's database. A run that has produced nothing may still change its mind: its database is made anew.
RunDb open_database(const std::filesystem::path & folder);

/// The file of a path or catalogue name, if it is here already; nothing is fetched.
std::optional<std::filesystem::path> local_model(const std::string & spec);

} // namespace valuelens
