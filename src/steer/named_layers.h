#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "steer/npz.h"
#include "store/safetensors.h"

namespace valuelens {

/// The tensor of a file of directions that says which blocks its rows belong to.
inline constexpr const char * layers_name = "layers";

/// The numbers of that tensor; nothing where there is none of whole numbers (32 or 64 bits).
std::optional<std::vector<std::int64_t>> named_layers(const SafetensorsFile & file);
std::optional<std::vector<std::int64_t>> named_layers(const NpzFile & file);

} // namespace valuelens
