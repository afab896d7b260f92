#include "neurons/categories.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "base/fail.h"

namespace valuelens {

const char * to_string(NeuronScope scope) {
    return scope == NeuronScope::layer ? "layer" : "model";
}

const char * to_string(NeuronCategory category) {
    constexpr std::array<const char *, n_category> names = {"shared", "intrinsic", "prompted", "anti_shared", "none"};
    return names[static_cast<std::size_t>(category)];
}

Angles angles_of(const Projection & projection) {
    const auto degrees = [&](double along) {
        return std::acos(std::clamp(along / projection.norm, -1.0, 1.0)) * 180 / std::numbers::pi;
    };
    return {degrees(projection.first), degrees(projection.second), degrees(-projection.second)};
}

NeuronCategory category_of(const Angles & angles, const NeuronOptions & options) {
    // In a plane, at most one of four axes at right angles is nearer than 45 degrees.
    if (angles.shared < options.max_angle) {
        return NeuronCategory::shared;
    }
    if (angles.intrinsic < options.max_angle) {
        return NeuronCategory::intrinsic;
    }
    if (angles.prompted < options.max_angle) {
        return NeuronCategory::prompted;
    }
    if (options.anti_shared && 180 - angles.shared < options.max_angle) {
        return NeuronCategory::anti_shared;
    }
    return NeuronCategory::none;
}

std::size_t top_count(double top_percent, std::size_t n) {
    const auto count = static_cast<std::size_t>(std::ceil(top_percent * static_cast<double>(n) / 100));
    return std::min(count, n);
}

void check_options(const NeuronOptions & options) {
    if (!(options.top_percent > 0 && options.top_percent <= 100)) {
        fail(ErrorKind::usage, "top_percent is {}, expected more than 0 and at most 100", options.top_percent);
    }
    if (!(options.max_angle > 0 && options.max_angle <= 45)) {
        fail(ErrorKind::usage, "max_angle is {} degrees, expected more than 0 and at most 45", options.max_angle);
    }
    if (!(options.confidence > 0 && options.confidence < 1)) {
        fail(ErrorKind::usage, "confidence is {}, expected a number between 0 and 1", options.confidence);
    }
}

} // namespace valuelens
