#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "engine/down_projections.h"

namespace valuelens {

/// Rows (axes) that whole down projections are multiplied by: products [n_rows, n_neuron] of rows [n_rows, n_embd]
/// with a matrix [n_embd, n_neuron] that is dequantised piece by piece and never held whole.
///
/// Sums run in float over a few rows of the matrix and in double over those, always in the same order: any number
/// of threads gives the same bits.
class PlaneProducts {
public:
    /// `rows`: [n_rows, n_embd], copied.
    PlaneProducts(std::span<const float> rows, std::size_t n_rows, std::size_t n_embd);

    /// A piece of work: columns [column, column + n_columns) of a matrix, whose products begin at `offset` of each row
    /// of the result.
    struct Piece {
        std::size_t matrix = 0;
        std::size_t column = 0;
        std::size_t n_columns = 0;
        std::size_t offset = 0;
    };

    /// Cuts matrices [first, last) into pieces; their neurons lie one after the other in the result.
    static std::vector<Piece> pieces(const DownProjections & model, std::size_t first, std::size_t last);

    /// The products of one piece into `out` [n_rows, stride]. Thread-safe.
    void multiply(const DownProjections & model, const Piece & piece, float * out, std::size_t stride) const;

private:
    std::size_t n_rows_ = 0;
    std::size_t n_embd_ = 0;
    std::vector<float> packed_; ///< [groups of rows][n_embd][rows of a group], rows past n_rows zero
};

} // namespace valuelens
