#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "pipeline/shard.h"
#include "store/run_db.h"
#include "valuelens/model.h"
#include "valuelens/run.h"

namespace valuelens {

inline constexpr const char * config_file = "config.toml";
inline constexpr const char * database_file = "run.sqlite";
/// Answers of servers to the slice in hand; they go when their stage has finished.
inline constexpr const char * generate_answers_file = "generate-answers.jsonl";
inline constexpr const char * judge_answers_file = "judge-answers.jsonl";

/// The config asked for, or the run's own, with the command line's options over it and all ranges checked.
RunConfig wanted_config(const RunRequest & request);

/// The run's database. A run that has produced nothing may still change its mind: its database is made anew.
RunDb open_database(const std::filesystem::path & folder);

/// Removes a file that is needed no more, if it is there. Throws Error(bad_input) where it is and cannot be removed.
void remove_file(const std::filesystem::path & file);

/// Removes a database with what SQLite keeps beside it. Throws Error(bad_input).
void remove_database(const std::filesystem::path & file);

/// Which part of a run a folder holds: as it was begun, else as `asked` says (nothing: the whole run). Throws
/// Error(usage) where both are given and differ.
Shard settle_shard(RunDb & db, const std::optional<Shard> & asked, const std::filesystem::path & folder);

/// The part of a run that the folder was begun with; the whole run where nothing says otherwise.
Shard stored_shard(const RunDb & db);

/// Slices of the whole run, whichever part the folder holds; 0 before they are planned.
std::size_t planned_slices(const RunDb & db);

/// The file of a path or catalogue name, if it is here already; nothing is fetched.
std::optional<std::filesystem::path> local_model(const std::string & spec);

/// What can be told of a model before it is fetched and loaded: nothing where it is a name of the catalogue that is not
/// here yet. Throws Error(model), naming the `key` or option that gave it, where it is neither file nor such a name,
/// and as read_model_info() does.
std::optional<ModelInfo> require_known_model(const std::string & spec, const std::string & key);

} // namespace valuelens
