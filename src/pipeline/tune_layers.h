#pragma once

#include <cstddef>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "valuelens/model.h"
#include "valuelens/tune.h"
#include "valuelens/vectors.h"

namespace valuelens {

/// A range of blocks to try.
struct TunedRange {
    std::optional<LayerSpan> span; ///< nothing: as the specification says
    double auroc = std::numeric_limits<double>::quiet_NaN();
};

/// The held-out AUROC per block that speaks for a direction: of `<value>/intrinsic` (also intrinsic_orth) and
/// `<value>/prompted` that condition's, of the other axes of a value, and of neurons (`key` empty), the mean of both
/// conditions; without a value (the compliance direction) the mean over all values. NaN where none is known.
std::vector<double> auroc_by_layer(const ValueVectorSet & vectors, const std::string & value, const std::string & key);

/// The best windows (steer/strength.h) of `width` blocks, 0: a sixth of the model, at least one. Throws
/// Error(bad_input): vectors of another model, or without an AUROC; Error(usage): a window that does not fit the model.
std::vector<TunedRange> ranges_by_auroc(const ValueVectorSet & vectors, const std::filesystem::path & file,
                                        const std::string & value, const std::string & key, const ModelInfo & model,
                                        int width, std::size_t count);

} // namespace valuelens
