#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "valuelens/concept_set.h"
#include "valuelens/judge.h"
#include "valuelens/progress.h"
#include "valuelens/run_config.h"

namespace valuelens {

/// The model whose responses are judged; both empty where there is none.
struct Subject {
    std::string name;     ///< general.name: judge.probe = "auto" takes a probe that reads another model
    std::string identity; ///< a judge with the same weights leans on the directions that are sought: a warning
};

struct OpenJudge {
    std::unique_ptr<Judge> judge;
    std::string quality; ///< JSON of how it was measured; empty: unknown
};

/// A judge as the config asks for it, its model fetched and loaded. Throws Error(usage) where the config lacks what the
/// kind needs, and as its parts do.
///
/// `engine_is_judges`: the engine keys of `config` (chat template, context, cache type) are meant for the judge's
/// model; in a run they are the subject's. `kept_answers`: where a server's answers are kept until they are labels.
OpenJudge open_judge(const RunConfig & config, const ConceptSet & concepts, const Subject & subject,
                     ProgressSink & progress, std::stop_token stop, bool engine_is_judges = false,
                     const std::filesystem::path & kept_answers = {});

/// What can be checked of a judge without its model: the probe knows the concepts, the files are there and sound, the
/// server answers. Throws as open_judge().
void check_judge_config(const RunConfig & config, const ConceptSet & concepts, ProgressSink & progress,
                        std::stop_token stop);

/// Says what the judge's work will cost, where it costs anything.
void announce_cost(const Judge & judge, const JudgeWork & work, ProgressSink & progress);

} // namespace valuelens
