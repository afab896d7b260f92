#pragma once

#include <cstddef>
#include <vector>

#include "valuelens/evaluation.h"

namespace valuelens {

/// One item's scores on a quantity, by the question that asked for it (a phrasing, an order of the options). A variant
/// that lost a question (no answer that can be read, no verdict) is scored by the others, and compared with the base by
/// those that both have.
class QuestionScores {
public:
    QuestionScores(std::size_t n_questions, std::size_t n_variants);

    /// Questions that are never set are lost.
    void set(std::size_t question, std::size_t variant, double score);

    /// [variant] Mean over the variant's questions; NaN where it lost all.
    std::vector<double> means() const;

    /// [variant] As EvaluationItem::shared; empty where every variant has the questions of the base or none.
    std::vector<SharedScore> shared() const;

private:
    std::vector<std::vector<double>> scores_; ///< [variant][question]; NaN: lost
};

/// Gives an item its next quantity: each variant's score, and what it is compared by (EvaluationItem::shared).
void add_quantity(EvaluationItem & item, std::vector<double> scores, std::vector<SharedScore> shared = {});

} // namespace valuelens
