#pragma once

#include "contrast/memory_source.h"
#include "vectors/compute.h"

namespace valuelens {

inline ValueVectorSet compute(const Scene & scene, const VectorOptions & options = {}) {
    return compute_value_vectors(scene.source, scene.responses, scene.values, options);
}

} // namespace valuelens
