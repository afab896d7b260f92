#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "valuelens/model.h"

namespace valuelens {

/// One down projection of an MLP: a matrix [n_embd, n_neuron] whose column i is w_out of neuron i.
struct DownProjection {
    int layer = 0;
    int expert = -1; ///< -1: dense; 0, 1, ...: an expert of a mixture; -2: the shared experts, which are always active
    std::size_t n_neuron = 0;
    std::uint64_t bytes = 0; ///< in the file
    std::string tensor;      ///< name of the tensor that holds it
};

/// The down projections of a GGUF model, read through a memory map and dequantised in pieces; the model is not loaded.
///
/// w_out is what a unit of post-activation adds to the block's output, but for what depends on the token (the router's
/// and gates' weights, the divisor of a norm) or is one number for the whole model (granite's residual scale, the
/// scale of expert weights). So these multiply it:
/// - the gain of a norm between MLP and residual add: post_ffw_norm; in Gemma 4's blocks with experts also
///   post_ffw_norm_1 (dense) or _2 (experts); grok: layer_output_norm; chameleon with swin_norm: ffn_norm. GGUF files
///   of Gemma hold the gain with its +1;
/// - `scale` tensors, which llama.cpp multiplies the product by: ffn_down.scale, ffn_down_shexp.scale, and one number
///   per expert in ffn_down_exps.scale;
/// - layer_output_scale, where it follows the residual add (Gemma 4).
/// Biases belong to no neuron and are left out. Without `norm_gains` only the `scale` tensors multiply: the columns of
/// the matrix that llama.cpp multiplies post-activations by.
class DownProjections {
public:
    /// Opens all parts. Throws Error(model): not a usable GGUF; a block without a known down projection (unless the
    /// model states feed_forward_length 0 for it); a tensor of an unexpected shape, or of a type that ggml cannot
    /// dequantise.
    explicit DownProjections(const std::string & path, bool norm_gains = true);
    ~DownProjections();
    DownProjections(const DownProjections &) = delete;
    DownProjections & operator=(const DownProjections &) = delete;

    const ModelInfo & info() const;
    /// Blocks that llama.cpp runs: block_count without the blocks for multi-token prediction.
    std::size_t n_layer() const;
    std::size_t n_embd() const;

    /// By layer, then expert.
    std::span<const DownProjection> matrices() const;

    /// What is not among them, counted: blocks without an MLP, kinds of experts that are not known.
    const std::vector<std::string> & notes() const;

    /// Columns are read in multiples of this (1, or the block size of the quantisation); the last piece of a row may be
    /// shorter.
    std::size_t column_step(std::size_t matrix) const;

    /// Rows [row, row + n_rows) and columns [column, column + n_columns) of a matrix; row r begins at out[r * stride].
    /// `column` is a multiple of column_step(), and so is n_columns unless it ends the row. Thread-safe.
    void read(std::size_t matrix, std::size_t row, std::size_t n_rows, std::size_t column, std::size_t n_columns,
              float * out, std::size_t stride) const;

    /// Asks the system to have matrices [first, last) in memory soon; returns at once.
    void prefetch(std::size_t first, std::size_t last) const;
    /// Takes them out of this process's memory (the system may keep its cache); they can still be read.
    void release(std::size_t first, std::size_t last) const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace valuelens
