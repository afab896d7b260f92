#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "valuelens/model.h"

namespace valuelens {

/// The output head of a GGUF model, read through a memory map and dequantised by rows; the model is not loaded.
///
/// The logit of token t is <W[t], norm(x)>, W being output.weight, or token_embd.weight where the model ties the two.
/// The final norm divides x by a number that depends on the token at hand, then multiplies by its gain: what a
/// direction adds to the logits is, up to that positive number, W (gain * d) (LayerNorm also takes away the mean of d).
class OutputHead {
public:
    /// Throws Error(model): not a usable GGUF, no head of the expected shape, or a type that ggml cannot dequantise.
    explicit OutputHead(const std::string & path);
    ~OutputHead();
    OutputHead(const OutputHead &) = delete;
    OutputHead & operator=(const OutputHead &) = delete;

    std::size_t n_vocab() const;
    std::size_t n_embd() const;
    /// Whether the head is the token embedding.
    bool tied() const;
    /// Gain of the final norm, [n_embd]; all 1 where the model has none.
    const std::vector<float> & gain() const;
    /// Whether the final norm takes away the mean (it has a bias, as LayerNorm does).
    bool centres() const;

    /// Rows [first, first + n) of W into `out` [n, n_embd]. Thread-safe.
    void read(std::size_t first, std::size_t n, float * out) const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace valuelens
