#pragma once

#include <memory>
#include <stop_token>

#include "engine/model_impl.h"

namespace valuelens {

/// Loads a GGUF file's weights, whatever kind of model they are, and reports progress. Throws Error(model) where
/// llama.cpp cannot, Error(interrupted) on a stop request.
std::unique_ptr<llama_model, ModelDeleter> load_weights(const ModelOptions & options, ProgressSink & progress,
                                                        const std::stop_token & stop);

/// The threads that options ask for: the number of physical cores where they say 0.
int threads_of(const ModelOptions & options);

} // namespace valuelens
