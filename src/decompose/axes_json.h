#pragma once

#include <nlohmann/json_fwd.hpp>

#include "valuelens/decompose.h"

namespace valuelens {

/// All of a set but its tensors and its provenance, the `stats` of axes.safetensors (docs/files.md). NaN is written as
/// null; equal sets give equal text.
nlohmann::json axes_stats(const AxisSet & set);

/// The reverse, into a set whose shape (n_layer, n_embd) is left alone. Throws nlohmann::json::exception for what is
/// not there or of another type, and Error(bad_input) for a name that is none.
void read_axes_stats(const nlohmann::json & stats, AxisSet & set);

} // namespace valuelens
