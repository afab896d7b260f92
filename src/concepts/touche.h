#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "valuelens/records.h"

namespace valuelens {

/// Loads Touché23-ValueEval (Mirzakhmedova et al. 2023): a folder with arguments-<part>.tsv and labels-<part>.tsv of
/// one or more parts, or one arguments-<part>.tsv with its labels beside it. The text is the premise, the group the
/// conclusion. Its 20 values become Schwartz's ten: a value is expressed where any of its facets is; humility counts as
/// tradition; face and objectivity are left out. A concept of `values` that is none of the ten is "not stated" (-1)
/// everywhere. Throws Error(bad_input) with file:line for other columns, cells that are not 0 or 1, and ids that stand
/// in one of the two files only.
std::vector<LabelledText> load_touche(const std::filesystem::path & path, const std::vector<std::string> & values);

} // namespace valuelens
