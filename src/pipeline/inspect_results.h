#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "pipeline/inspect_file.h"

namespace valuelens {

/// The text of an entry; empty where there is none, or one of another type.
std::string text_of(const nlohmann::json & object, const char * key);

/// Looks into a JSON object of results: of our own, the numbers that one opens it for; of others, the top-level
/// entries. Throws Error(bad_input) where it is no JSON object.
FileInspection inspect_json(const std::filesystem::path & path);

/// Looks into JSON lines (answers, a monitor's report, transcripts, labels, ...): how many there are and what they
/// have. Throws Error(bad_input) with file:line for a broken one.
FileInspection inspect_json_lines(const std::filesystem::path & path);

/// Looks into a run's configuration or any other TOML: its entries as section.key. Throws Error(bad_input) with
/// file:line where it is none.
FileInspection inspect_toml(const std::filesystem::path & path);

} // namespace valuelens
