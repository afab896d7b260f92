#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "valuelens/vectors.h"

namespace valuelens {

/// The entries for a file's metadata: model_name, model_hash, location, layer_convention, tool_version.
std::map<std::string, std::string> provenance_metadata(const Provenance & provenance);

/// The reverse. Throws Error(bad_input) naming the file and the missing entry.
Provenance provenance_from_metadata(const std::map<std::string, std::string> & metadata,
                                    const std::filesystem::path & path);

/// Throws Error(bad_input) that names both models, unless the file was made with the model of that identity. `name` is
/// the model in use, `path` the file.
void require_same_model(const Provenance & provenance, const std::string & identity, const std::string & name,
                        const std::filesystem::path & path);

/// Throws Error(bad_input) unless the file's directions or activations live at `location` with the 0-based layer
/// convention.
void require_same_location(const Provenance & provenance, const std::string & location,
                           const std::filesystem::path & path);

} // namespace valuelens
