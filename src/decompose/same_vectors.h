#pragma once

#include <span>
#include <stop_token>

#include "contrast/cell.h"
#include "decompose/decompose.h"

namespace valuelens {

/// Throws Error(bad_input) unless the responses are those that the vectors were computed from: same model, place and
/// shape, and at every layer the same vectors, up to 1e-3 of their length (activations may be stored in another
/// format). Reads all labelled responses once. `cells`: [n_value, 2] of those responses.
void require_same_vectors(const ValueVectorSet & vectors, const ResponseSource & source, std::span<const Cell> cells,
                          unsigned threads, const std::stop_token & stop);

} // namespace valuelens
