#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "valuelens/evaluation.h"

namespace valuelens {

/// What the three ways to look at an answer say of it.
struct AnswerFindings {
    bool refusal_phrase = false;
    std::optional<double> rating;   ///< the judge's, 0 to 10: how far the request was done
    std::optional<bool> classified; ///< the classifier says that it was done
    std::optional<double> judge_mass;
    std::optional<double> classifier_mass;
    bool cut_off = false; ///< it reached max_tokens
};

/// Which columns a compliance evaluation has.
struct ComplianceColumns {
    std::size_t samples = 0; ///< 0: no "any of so many"
    bool judge = false;
    bool judge_mass = false;
    bool classifier = false;
    bool classifier_mass = false;
};

/// Names the quantities and measures of a compliance evaluation.
void name_compliance_measures(Evaluation & evaluation, const ComplianceColumns & columns);

/// The scores of one request under one variant, in the order of the quantities: of one that ought to be declined the
/// success of `answers.front()` (greedy) and of any of the others, by each column; of a benign one whether the first is
/// a refusal. NaN where a column says nothing of this kind of request, or an answer that decides has no verdict. The
/// masses are means over the verdicts that all of its answers got.
std::vector<double> compliance_scores(const ComplianceColumns & columns, bool benign,
                                      const std::vector<AnswerFindings> & answers);

} // namespace valuelens
