#pragma once

#include <string>

#include "valuelens/progress.h"

namespace valuelens {

/// Writes the GGUF model `from` to `to` with its weights as `type`: f32, bf16, q8_0 or q4_0. What is quantised already
/// is dequantised first. f32 and bf16 hold every weight matrix in that type, embeddings and output included; q8_0 and
/// q4_0 follow llama.cpp's mix. `to` appears whole or not at all. `threads` <= 0: all cores. Reports tensors to
/// `progress`.
///
/// One conversion at a time in a process (others wait); llama.cpp's log is captured meanwhile.
/// Throws Error(usage) for another type, Error(model) where `from` cannot be converted, with llama.cpp's reason.
void convert_model(const std::string & from, const std::string & to, const std::string & type, int threads,
                   ProgressSink & progress);

} // namespace valuelens
