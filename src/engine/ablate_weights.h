#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <stop_token>
#include <string>

#include "valuelens/progress.h"

namespace valuelens {

/// What write_ablated_model() did.
struct AblatedModel {
    std::size_t n_changed = 0; ///< tensors
    std::size_t n_widened = 0; ///< of these: were quantised, are F16 now
    bool untied = false;       ///< the output head, which shared the embedding's weights, has its old ones by itself
    std::uint64_t bytes = 0;   ///< of the new file
};

/// Writes a copy of a GGUF model that cannot write along `direction` (of any length but 0) into its residual stream:
/// each matrix that writes there becomes W - u u^T W, u = direction / |direction|, each bias b - u u^T b.
///
/// These are attn_output and ffn_down of every block (of mixtures ffn_down_exps and ffn_down_shexp), and the token
/// embedding (position_embd too). The stream then has no component along u after the embedding, after each attention
/// and after each MLP. Changed tensors in F32, F16 or BF16 keep their type; quantised ones are dequantised and become
/// F16, since quantising them again would put back a part of what was taken out. All others are copied as they are,
/// tensor by tensor: memory holds a row of the widest. Several parts become one file.
///
/// `texts`: text entries for the header. The file appears whole or not at all. Throws Error(model): not a usable GGUF;
/// a tensor that is not known to read from the stream or to write to it linearly (a norm between an output projection
/// and the stream, as in Gemma 2 and 3, makes such a change of weights inexact); tied embeddings that the architecture
/// cannot have apart. Throws Error(bad_input): a direction of another width, zero or not finite; Error(interrupted).
AblatedModel write_ablated_model(const std::string & from, const std::filesystem::path & to,
                                 std::span<const float> direction, const std::map<std::string, std::string> & texts,
                                 ProgressSink & progress = silent_progress(), std::stop_token stop = {});

} // namespace valuelens
