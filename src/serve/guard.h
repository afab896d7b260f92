#pragma once

#include <optional>

#include "pipeline/watch.h"
#include "valuelens/intervention.h"

namespace valuelens {

enum class Defend { off, flagged, all };

/// What a server watches in its responses, and what it does about it.
///
/// `flagged`: the first `window` tokens of a response are held back; where their mean exceeds the threshold of a
/// guarded direction, the draft is thrown away and the response is written anew with those directions taken out of the
/// stream. `all`: every response is written that way.
struct Guard {
    Watch watch;
    std::optional<WatchThresholds> thresholds; ///< `flagged` needs them
    Defend defend = Defend::off;
    Intervention ablation; ///< of the guarded directions; empty with `off`

    std::size_t window() const { return thresholds ? thresholds->window : 0; }
};

} // namespace valuelens
