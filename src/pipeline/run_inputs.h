#pragma once

#include <string>
#include <vector>

#include "valuelens/concept_set.h"
#include "valuelens/progress.h"
#include "valuelens/query.h"
#include "valuelens/run_config.h"

namespace valuelens {

/// What a run is made from, loaded as its config says.
struct RunInputs {
    ConceptSet concepts;
    std::vector<PromptTemplate> templates;
    std::vector<Query> queries;

    std::vector<std::string> value_ids() const;
};

/// Reports what was dropped from the queries. Throws as the loaders do.
RunInputs load_run_inputs(const RunConfig & config, ProgressSink & progress);

} // namespace valuelens
