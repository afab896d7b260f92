#pragma once

#include <bit>
#include <cstdint>

namespace valuelens {

/// float -> IEEE 754 binary16 bits, round to nearest, ties to even. Beyond 65504 (after rounding): infinity; NaN stays
/// NaN.
inline std::uint16_t float_to_half(float value) {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
    const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000u);
    const std::uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) {
        return sign | 0x7e00u;
    }
    if (magnitude >= 0x47800000u) { // 65536 and more
        return sign | 0x7c00u;
    }
    if (magnitude < 0x38800000u) { // below 2^-14: subnormal in binary16
        // Adding 0.5 puts the units of 2^-24 into the lowest bits of the mantissa, rounded by the hardware.
        const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
        return sign | static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(shifted) - 0x3f000000u);
    }
    const std::uint32_t odd = (magnitude >> 13) & 1u;
    return sign | static_cast<std::uint16_t>((magnitude + 0xfffu + odd - 0x38000000u) >> 13);
}

/// IEEE 754 binary16 bits -> float, exact.
inline float half_to_float(std::uint16_t half) {
    const std::uint32_t sign = (half & 0x8000u) << 16;
    const std::uint32_t magnitude = half & 0x7fffu;
    if (magnitude >= 0x7c00u) {
        return std::bit_cast<float>(sign | 0x7f800000u | ((magnitude & 0x3ffu) << 13));
    }
    const float scaled = std::bit_cast<float>(magnitude << 13) * 0x1.0p112f; // moves the exponent bias from 15 to 127
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(scaled));
}

} // namespace valuelens
