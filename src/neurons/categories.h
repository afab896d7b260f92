#pragma once

#include <cstddef>

#include "neurons/top_norms.h"
#include "valuelens/neurons.h"

namespace valuelens {

inline constexpr std::size_t n_category = 5;

/// Degrees between a projection and the axes of its plane.
struct Angles {
    double shared = 0;
    double intrinsic = 0;
    double prompted = 0;
};
Angles angles_of(const Projection & projection);

/// The nearest of the axes, if nearer than max_angle; anti_shared only where it is asked for.
NeuronCategory category_of(const Angles & angles, const NeuronOptions & options);

/// How many of n neurons are asked for: the top percent, rounded up.
std::size_t top_count(double top_percent, std::size_t n);

/// Throws Error(usage) for an option out of its range.
void check_options(const NeuronOptions & options);

} // namespace valuelens
