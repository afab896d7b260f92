#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "valuelens/intervention.h"
#include "valuelens/vectors.h"

namespace valuelens {

/// What the rows of a file of directions are counted by.
enum class RowLocation {
    layer_output, ///< row N acts on the output of block N (ours, repeng, EasySteer)
    layer_input, ///< row N acts on the input of block N, which is the output of block N-1 (transformers' hidden_states,
                 ///< llama.cpp's cvector-generator)
};

/// The key of a control vector's directions, which has no names inside.
inline constexpr std::string_view control_vector_key = "direction";

/// One direction per block, or one vector for no block in particular, as a file has it.
struct Directions {
    std::filesystem::path file;
    std::string key;
    std::vector<std::size_t> shape; ///< of the tensor in the file; of a control vector [directions, n_embd]
    bool all_layers = false;        ///< the rows stand for all blocks of a model, and not for those that the file names
    std::size_t n_embd = 0;
    std::vector<int> layers;         ///< blocks at whose output the rows act, ascending; empty: one vector for no block
    std::vector<float> rows;         ///< [layers, n_embd], or [n_embd]
    std::map<int, float> resid_norm; ///< block -> mean residual norm, where the file has it
    std::optional<Provenance> provenance; ///< nothing: made by another tool
    std::string model_hint;               ///< architecture or name of the model, where the file says it; may be empty
    std::vector<std::string> notes;       ///< what the user should be warned of

    std::span<const float> row(std::size_t i) const { return std::span(rows).subspan(i * n_embd, n_embd); }
};

/// Reads a direction from a GGUF control vector, a .npz, or a .safetensors file (told apart by their contents).
///
/// - safetensors, npz: tensor `key`, [n, n_embd] or [n_embd] ([1, n_embd] likewise). Whole numbers `layers` [n] beside
///   it say which blocks the rows belong to; without it row i belongs to block i. `resid_norm` is taken where it is.
/// - control vector: `direction.N` belongs to block N; `key` is control_vector_key or empty.
/// - `location` layer_input: one block earlier; what would act before the first block is left out with a note.
///
/// A file that names no model (model_hash) gets a note. Throws Error(bad_input): no such tensor, another shape or type,
/// numbers of blocks that do not ascend, layer_input for a file that says itself where it acts, an EasySteer file for
/// another component than hidden states; Error(usage): layer_input for a vector of no block.
Directions read_directions(const std::filesystem::path & path, const std::string & key, RowLocation location);

/// Takes out the last row of transformers' hidden_states (n_layer + 1 rows, read with layer_input), which lies behind
/// the model's final norm and not in its residual stream, and notes it. Other directions are left as they are.
void leave_out_final_norm(Directions & directions, int n_layer);

/// The row that acts at the output of a block: the only one of a vector for no block in particular. Throws Error(usage)
/// where the file has none for it.
std::span<const float> row_of_layer(const Directions & directions, int layer);

/// How strongly a row is applied, and how the options are written where a sentence advises on them.
struct Strength {
    float alpha = 1.0f;
    bool resid_unit = false; ///< alpha is a fraction of the mean residual norm of the block
    SteerMode mode = SteerMode::add;
    std::string_view layers_option = "layers=A-B";
    std::string_view raw_option = "unit=raw";
};

/// The alpha of LayerDirection for a row that acts at `layer`: with resid_unit, an added row comes out
/// alpha resid_norm[layer] long, and a clamped component is alpha resid_norm[layer]. Throws Error(bad_input): a NaN, a
/// zero vector where a direction is needed, no resid_norm where it is needed.
float row_alpha(const Directions & directions, int layer, std::span<const float> row, const Strength & strength);

/// The rows of some blocks, multiplied by their strength (mode add). `first` and `last` choose blocks, both included; a
/// vector for no block in particular is repeated for each of them. `first` < 0: all that the file has. Throws like
/// row_alpha() and row_of_layer().
Directions fold_directions(const Directions & directions, int first, int last, const Strength & strength);

} // namespace valuelens
