// Compiled with relaxed floating-point rules (src/CMakeLists.txt), so that the exponentials of a whole vocabulary use
// vector instructions: it runs once for each generated token. All inputs are finite.

#include <algorithm>
#include <cmath>

#include "engine/sampler.h"

namespace valuelens {

double sum_of_exponentials(std::span<const float> values, float shift) {
    constexpr std::size_t block =
        512; // short enough that float sums lose nothing that matters, the blocks are added in double
    double total = 0;
    for (std::size_t begin = 0; begin < values.size(); begin += block) {
        const std::size_t end = std::min(values.size(), begin + block);
        float sum = 0;
        for (std::size_t i = begin; i < end; ++i) {
            sum += std::exp(values[i] - shift);
        }
        total += static_cast<double>(sum);
    }
    return total;
}

double sum_of_weighted_exponentials(std::span<const float> values, float shift) {
    constexpr std::size_t block = 512;
    double total = 0;
    for (std::size_t begin = 0; begin < values.size(); begin += block) {
        const std::size_t end = std::min(values.size(), begin + block);
        float sum = 0;
        for (std::size_t i = begin; i < end; ++i) {
            const float shifted = std::max(values[i] - shift, -1e4f); // far below what exp() can tell from 0
            sum += std::exp(shifted) * shifted;
        }
        total += static_cast<double>(sum);
    }
    return total;
}

} // namespace valuelens
