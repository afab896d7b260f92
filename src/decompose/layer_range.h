#pragma once

#include <cstddef>
#include <utility>

#include "base/fail.h"
#include "valuelens/decompose.h"

namespace valuelens {

/// First and last layer (both included) of the headline numbers: as stated, or the middle half (of 28 layers 7 to 20).
/// Throws Error(usage) where the last one stated is not a layer.
inline std::pair<std::size_t, std::size_t> layer_range(const DecomposeOptions & options, std::size_t n_layer) {
    if (options.last_layer < options.first_layer) {
        return {n_layer / 4, n_layer - n_layer / 4 - 1};
    }
    if (options.last_layer >= n_layer) {
        fail(ErrorKind::usage, "the layer range {}-{} goes beyond the model, whose layers are 0-{}",
             options.first_layer, options.last_layer, n_layer - 1);
    }
    return {options.first_layer, options.last_layer};
}

} // namespace valuelens
