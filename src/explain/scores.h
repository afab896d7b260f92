#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "explain/asker.h"
#include "explain/prompts.h"
#include "valuelens/explain.h"

namespace valuelens {

/// Excerpts that the explainer did not see.
struct HeldOut {
    std::vector<ReadableExcerpt> top;
    std::vector<ReadableExcerpt> random;
    std::uint64_t seed = 0; ///< of the wrong marks, the neuron's own
};

/// A yes/no question whose right answer is known, about an explanation to be filled in.
struct ScoreQuestion {
    bool positive = false;
    std::size_t group = 0; ///< of the excerpt; questions of one are resampled together
    std::string text;
};

/// Does something in the text fit? Top excerpts against random ones. A random excerpt may activate the neuron somewhat,
/// though less than any of the top, so that the area is a lower bound.
std::vector<ScoreQuestion> detection_questions(const HeldOut & held_out);

/// Do the marked parts fit? Each top excerpt twice: its strong tokens marked, and as many of its weakest ones, drawn
/// among the quarter of all tokens (at least as many as needed) that are least active, those against the pole being as
/// inactive as those at 0, and tokens whose activation was not read left out. Excerpts in which more than half of the
/// tokens are strong leave no place for wrong marks and are left out.
std::vector<ScoreQuestion> fuzzing_questions(const HeldOut & held_out, Pole pole);

/// The prompts of all questions under one explanation.
std::vector<std::string> score_prompts(const ExplainPrompts & prompts, ScoreKind kind, const std::string & explanation,
                                       std::span<const ScoreQuestion> questions);

/// Area under the ROC curve of the answers, resampled by excerpt; questions without an answer are left out. `problem`
/// says why there is none (fewer than `least` answered questions of either kind).
Estimate auroc_of_answers(std::span<const ScoreQuestion> questions, std::span<const AskerAnswer> answers,
                          const ExplainOptions & options, std::uint64_t seed, std::string & problem);

/// Fewest questions of either kind behind an area.
inline constexpr std::size_t least_questions = 3;

} // namespace valuelens
