#pragma once

#include <stop_token>

#include "engine/model_impl.h"

namespace valuelens {

/// Loads a GGUF file, whatever kind of model it is, and reports progress. Throws Error(model) as read_model_info() does
/// and where llama.cpp cannot load it, Error(interrupted) on a stop request.
LoadedWeights load_weights(const ModelOptions & options, ProgressSink & progress, const std::stop_token & stop);

} // namespace valuelens
