#pragma once

#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "store/run_db.h"
#include "valuelens/judge.h"

namespace valuelens {

struct JudgeStageOptions {
    double undecided_low = 0.4;  ///< probabilities from here ...
    double undecided_high = 0.6; ///< ... to below here are left out of the vectors and counted
    /// Recentre: per value, subtract the median log-odds over the run's intrinsic responses before deciding. A judge
    /// trained on other texts than chat responses is off by a constant there; recentred, a response expresses a value
    /// when it does so more than this model usually does.
    bool matched = false;
};

struct JudgeStageResult {
    std::size_t slices_before = 0;
    std::size_t slices_done = 0;
    std::size_t labels = 0; ///< made now
};

/// Whether every finished slice is judged and all labels are decided.
bool judge_stage_done(const RunDb & db);

/// Notes who judges this run and how. Throws Error(usage) when the run was begun with another judge or band.
void claim_judge(RunDb & db, const Judge & judge, const JudgeStageOptions & options);

/// For which values a response is judged, by position in the set: an intrinsic one for every value, a prompted one for
/// its own. Throws Error(bad_input) where that is not in the set.
std::vector<std::size_t> judged_values(const ResponseRow & response, const ConceptSet & concepts);

/// What run_judge() would judge: the finished slices that have no labels yet.
JudgeWork work_left(const RunDb & db, std::size_t n_values);

/// What check_judge() judges.
JudgeWork work_of(std::span<const LabelledText> texts);

/// The labels of some responses: of an intrinsic one for every value, of a prompted one for its own. Decided by the
/// band alone, without recentring. `progress` counts responses.
std::vector<LabelRow> label_responses(std::span<const ResponseRow> responses, const ConceptSet & concepts,
                                      Judge & judge, const JudgeStageOptions & options, ProgressSink & progress,
                                      std::stop_token stop);

/// Decides all labels that are there (with `matched`, over all of them), after which judge_stage_done() holds if every
/// finished slice is judged. run_judge() ends with it; so does what brings judged slices together.
void decide_labels(RunDb & db, const JudgeStageOptions & options);

/// Judges the finished slices that have no labels yet: an intrinsic response for every value, a prompted one for its
/// own. A slice's labels appear whole or not at all, so a stopped stage goes on where it stood.
///
/// With `matched`, the decisions are made once all finished slices are judged, and made anew when more come; the stored
/// probabilities stay the judge's, the medians stand in the database under "judge_medians" (JSON, value -> log-odds).
///
/// `wanted` may leave slices for later; empty: all are judged.
///
/// Throws Error(usage) when the run was begun with another judge or band, Error(judge) when the judge fails,
/// Error(interrupted) on a stop request.
JudgeStageResult run_judge(RunDb & db, const ConceptSet & concepts, Judge & judge, const JudgeStageOptions & options,
                           ProgressSink & progress, std::stop_token stop = {},
                           const std::function<bool(std::size_t slice)> & wanted = {});

} // namespace valuelens
