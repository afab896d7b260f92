#include "neurons/plane_products.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace valuelens {

namespace {

constexpr std::size_t group = 4;           ///< rows that share a load of the matrix
constexpr std::size_t lanes = 8;           ///< columns in a vector register
constexpr std::size_t strip = 2 * lanes;   ///< columns whose sums stay in registers
constexpr std::size_t piece_columns = 512; ///< a multiple of every block size of ggml's quantisations and of `strip`
constexpr std::size_t tile_rows = 128;     ///< read at once
constexpr std::size_t float_rows = 32; ///< summed in float: a neuron with a short projection loses digits to rounding
/// Past a power of two, so that the rows of a strip do not fall into the same cache sets.
constexpr std::size_t tile_stride = piece_columns + strip;

using Lanes = float __attribute__((vector_size(lanes * sizeof(float))));

using Kernel = void (*)(const float *, std::size_t, std::size_t, const float *, std::size_t, std::size_t, double *);

namespace plain {
#define VALUELENS_TARGET
#include "neurons/multiply_tile.inc"
#undef VALUELENS_TARGET
} // namespace plain

#if defined(__x86_64__)
namespace avx2 {
#define VALUELENS_TARGET [[gnu::target("avx2,fma")]]
#include "neurons/multiply_tile.inc"
#undef VALUELENS_TARGET
} // namespace avx2
#endif

/// The binary runs on any x86-64; the processor at hand may do better.
Kernel choose_kernel() {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        return avx2::multiply_tile;
    }
#endif
    return plain::multiply_tile;
}

} // namespace

PlaneProducts::PlaneProducts(std::span<const float> rows, std::size_t n_rows, std::size_t n_embd)
    : n_rows_(n_rows), n_embd_(n_embd), packed_((n_rows + group - 1) / group * group * n_embd) {
    assert(rows.size() == n_rows * n_embd);
    for (std::size_t i = 0; i < n_rows; ++i) {
        float * to = packed_.data() + i / group * group * n_embd + i % group;
        for (std::size_t d = 0; d < n_embd; ++d) {
            to[d * group] = rows[i * n_embd + d];
        }
    }
}

std::vector<PlaneProducts::Piece> PlaneProducts::pieces(const DownProjections & model, std::size_t first,
                                                        std::size_t last) {
    std::vector<Piece> list;
    std::size_t begin = 0;
    for (std::size_t matrix = first; matrix < last; ++matrix) {
        const std::size_t n = model.matrices()[matrix].n_neuron;
        for (std::size_t column = 0; column < n; column += piece_columns) {
            list.push_back({matrix, column, std::min(piece_columns, n - column), begin + column});
        }
        begin += n;
    }
    return list;
}

void PlaneProducts::multiply(const DownProjections & model, const Piece & piece, float * out,
                             std::size_t stride) const {
    static const Kernel kernel = choose_kernel();
    const std::size_t n_groups = packed_.size() / (group * n_embd_);
    const std::size_t padded = (piece.n_columns + strip - 1) / strip * strip;
    thread_local std::vector<float> tile(tile_rows * tile_stride); // what lies past the last column is never used
    thread_local std::vector<double> sums;
    sums.assign(n_groups * group * piece_columns, 0.0);
    for (std::size_t row = 0; row < n_embd_; row += tile_rows) {
        const std::size_t n = std::min(tile_rows, n_embd_ - row);
        model.read(piece.matrix, row, n, piece.column, piece.n_columns, tile.data(), tile_stride);
        for (std::size_t begin = 0; begin < n; begin += float_rows) {
            kernel(packed_.data() + (row + begin) * group, group * n_embd_, n_groups, tile.data() + begin * tile_stride,
                   std::min(float_rows, n - begin), padded, sums.data());
        }
    }
    for (std::size_t i = 0; i < n_rows_; ++i) {
        for (std::size_t c = 0; c < piece.n_columns; c += strip) {
            std::copy_n(sums.data() + (c / strip * n_groups * group + i) * strip, std::min(strip, piece.n_columns - c),
                        out + i * stride + piece.offset + c);
        }
    }
}

} // namespace valuelens
