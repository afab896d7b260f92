#include "pipeline/run_inputs.h"

#include <fmt/format.h>

#include <utility>

namespace valuelens {

std::vector<std::string> RunInputs::value_ids() const {
    std::vector<std::string> ids;
    for (const Concept & each : concepts.concepts) {
        ids.push_back(each.id);
    }
    return ids;
}

RunInputs load_run_inputs(const RunConfig & config, ProgressSink & progress) {
    RunInputs inputs;
    inputs.concepts = config.concepts_file.empty() ? schwartz10() : load_concept_set(config.concepts_file);
    inputs.templates = config.templates_file.empty() ? shipped_templates() : load_templates(config.templates_file);
    QueryOptions options;
    options.format = query_format_named(config.queries_format).value_or(QueryFormat::detect);
    options.limit = static_cast<std::size_t>(config.queries_limit);
    options.sample = config.queries_sample;
    options.seed = static_cast<std::uint64_t>(config.seed);
    options.language = config.queries_language;
    QuerySet set = config.queries_file.empty() ? shipped_queries(options) : load_queries(config.queries_file, options);
    const auto dropped = [&](std::size_t n, const char * why) {
        if (n > 0) {
            progress.message(LogLevel::warning, fmt::format("queries: {} left out ({})", n, why));
        }
    };
    dropped(set.duplicates, "the same text again");
    dropped(set.filtered, "another language");
    dropped(set.without_user, "no user turn");
    inputs.queries = std::move(set.queries);
    return inputs;
}

} // namespace valuelens
