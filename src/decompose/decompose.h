#pragma once

#include <span>
#include <stop_token>
#include <string>

#include "contrast/activation_source.h"
#include "valuelens/decompose.h"

namespace valuelens {

/// The responses that value vectors were computed from.
struct ResponseSource {
    const ActivationSource & activations;
    std::span<const LabelledResponse> responses; ///< label positions are those of ValueVectorSet::values
    std::string name;                            ///< what stands in messages: the files
};

/// As the other one, with responses however they are stored. `source` null: no intervals.
AxisSet decompose_vectors(const ValueVectorSet & vectors, const ConceptSet & concepts, const DecomposeOptions & options,
                          const ResponseSource * source, ProgressSink & progress = silent_progress(),
                          std::stop_token stop = {});

} // namespace valuelens
