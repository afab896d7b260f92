#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "valuelens/models.h"

namespace valuelens {

/// Reads a catalogue (format: data/models.toml). `source` names the text in errors.
/// Throws Error(bad_input) with source:line for a missing or wrong field.
std::vector<CatalogueEntry> parse_catalogue(std::string_view text, const std::string & source);

/// The entry of that name, or nullptr.
const CatalogueEntry * find_in_catalogue(std::string_view name);

/// All names, comma-separated, for messages.
std::string catalogue_names();

/// Throws Error(usage) unless the type is one of model_types().
void check_model_type(const std::string & type);

} // namespace valuelens
