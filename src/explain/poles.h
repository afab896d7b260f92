#pragma once

#include <string>
#include <vector>

#include "explain/harvester.h"
#include "explain/prompts.h"
#include "explain/scores.h"
#include "valuelens/explain.h"

namespace valuelens {

/// One pole of one neuron on its way to an explanation.
struct PoleWork {
    std::size_t neuron = 0; ///< position among those harvested
    Pole pole = Pole::positive;
    std::string key;
    float max = 0; ///< its largest activation in the pole's direction
    Explanation result;
    bool active() const { return max > 0; }
};

/// Which of a pole's top excerpts the explainer sees and which are held out: by turns, strongest first, until the
/// explainer has `examples`; it never gets more than half.
struct ExcerptSplit {
    std::vector<std::size_t> shown;
    std::vector<std::size_t> held_out;
};
ExcerptSplit split_top(std::size_t n_top, std::size_t examples);

/// The poles to explain, by neuron, the positive one first.
std::vector<PoleWork> poles_of(const Harvester & harvest, bool negative);

/// Tokens as text.
ReadableExcerpt readable(const Model & model, const Excerpt & excerpt);

/// Random excerpts that are none of the pole's top ones, as many as there are in `n`, in the order they were drawn.
std::vector<Excerpt> random_excerpts(const Harvester & harvest, const PoleWork & pole, std::size_t n);

/// What the scores of a pole are made from: the held-out top excerpts and as many random ones.
HeldOut held_out(const Model & model, const Harvester & harvest, const PoleWork & pole, const ExplainOptions & options);

} // namespace valuelens
