#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "evaluate/rater.h"
#include "evaluate/respondent.h"
#include "valuelens/evaluation_judged.h"

namespace valuelens {

/// What a slice of items gives.
struct SliceResult {
    std::vector<EvaluationItem> items;
    std::vector<EvaluationDrop> dropped;  ///< add_drop()
    std::vector<std::string> completions; ///< JSON objects, one line each
};

/// Adds to the count of the same drop, or a new one.
void add_drop(std::vector<EvaluationDrop> & dropped, const std::string & reason, const std::string & unit,
              const std::string & variant, std::size_t count = 1);

/// The drop of a question without verdict; nothing for one that has it.
void add_no_verdict(std::vector<EvaluationDrop> & dropped, NoVerdict problem, const std::string & unit,
                    const std::string & variant);

/// How many items make about 128 answers, at least one. A result depends on nothing but its slice.
std::size_t items_per_slice(std::size_t answers_per_item);

/// Scores `n` items slice by slice into `evaluation`, whose settings and variants are complete but for what `describe`
/// adds (respondent and judges). After each slice what is finished is kept in files.part and files.completions; slices
/// that are there already, of the same evaluation (settings, seed, variants, models and `work`, a text with all that is
/// asked), are taken over. Throws Error(bad_input) where files.part is something else.
void score_slices(Evaluation & evaluation, const JudgedFiles & files, const std::string & work,
                  const std::function<void(Evaluation &)> & describe, std::size_t n, std::size_t per_slice,
                  const std::function<SliceResult(std::size_t first, std::size_t count)> & score);

/// Throws Error(judge), and removes files.part, where verdicts are among what was dropped and none of `quantities`,
/// those that rest on the verdicts of `rater` ("judge"), has a score under the first variant. Quantities that the
/// evaluation lacks are passed over; with none of them there is nothing to require.
void require_verdicts(const Evaluation & evaluation, const JudgedFiles & files, const std::string & rater,
                      const std::vector<std::string> & quantities);

/// finish_evaluation(), with a note where a rater hardly answers with what is offered.
void finish_judged(Evaluation & evaluation, const Respondent & respondent, const std::vector<std::string> & groups);

/// The probability that a rater ("judge") answers with one of the answers offered; quantity "judge_mass".
EvaluationMeasure mass_measure(const std::string & rater);

} // namespace valuelens
