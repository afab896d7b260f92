#pragma once

#include <filesystem>

#include "pipeline/inspect_file.h"

namespace valuelens {

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
