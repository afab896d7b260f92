#pragma once

#include "judge/stage.h"
#include "pipeline/open_judge.h"
#include "pipeline/run_context.h"

namespace valuelens {

/// How a run's labels are decided.
JudgeStageOptions judge_stage_options(const RunConfig & config);

/// The run's judge, its models loaded.
OpenJudge open_run_judge(RunContext & run);

/// Forgets the labels of another judge, and stores the config that names the new one.
void adopt_judge(RunDb & db, const std::filesystem::path & folder, const RunConfig & config);

/// Stores with the labels how well the judge agrees with people: measured on the labels that the config names, else as
/// the judge states it. Warns when it is not known.
void record_judge_quality(RunContext & run, const OpenJudge & judge);

} // namespace valuelens
