#include "generate/plan.h"

#include <algorithm>
#include <unordered_set>

#include "base/fail.h"
#include "base/hash.h"
#include "base/random.h"

namespace valuelens {

namespace {

constexpr const char * intrinsic_name = "intrinsic";

void check(const ConceptSet & concepts, std::span<const Query> queries, std::span<const PromptTemplate> templates,
           const GenerateOptions & options) {
    if (options.slice_size == 0) {
        fail(ErrorKind::usage, "generate: slice_size is 0, at least 1 was expected");
    }
    if (options.max_tokens < 1) {
        fail(ErrorKind::usage, "generate: max_tokens is {}, at least 1 was expected", options.max_tokens);
    }
    if (options.shard_count < 1 || options.shard_index < 0 || options.shard_index >= options.shard_count) {
        fail(ErrorKind::usage,
             "generate: shard {} of {} does not exist; shards count from 0 to one less than their number",
             options.shard_index, options.shard_count);
    }
    if (queries.empty() || concepts.concepts.empty() || templates.empty()) {
        fail(ErrorKind::bad_input,
             "generate: there are {} queries, {} concepts and {} templates, at least one of each is needed",
             queries.size(), concepts.concepts.size(), templates.size());
    }
    std::unordered_set<std::string> seen{intrinsic_name};
    for (const Concept & item : concepts.concepts) {
        if (!seen.insert(item.id).second) {
            fail(ErrorKind::bad_input, "concept set {}: the id '{}' is taken; rename the concept", concepts.name,
                 item.id);
        }
    }
    seen.clear();
    for (const Query & query : queries) {
        if (!seen.insert(query.id).second) {
            fail(ErrorKind::bad_input, "generate: the query id '{}' comes twice; ids must be unique", query.id);
        }
    }
}

} // namespace

GenerationPlan plan_generation(const ConceptSet & concepts, std::span<const Query> queries,
                               std::span<const PromptTemplate> templates, const GenerateOptions & options) {
    check(concepts, queries, templates, options);

    GenerationPlan plan;
    plan.queries.assign(queries.begin(), queries.end());
    for (const Concept & item : concepts.concepts) {
        plan.value_ids.push_back(item.id);
    }
    for (const PromptTemplate & item : templates) {
        plan.template_ids.push_back(item.id);
    }

    const std::size_t per_query = 1 + concepts.concepts.size();
    const std::size_t queries_per_slice = std::max<std::size_t>(1, options.slice_size / per_query);
    plan.n_slices = (queries.size() + queries_per_slice - 1) / queries_per_slice;
    plan.responses.reserve(queries.size() * per_query);

    // A stream of its own: the sampling seeds are derived from the same ids.
    const std::uint64_t template_seed = derive_seed(options.seed, "templates");
    for (std::size_t query = 0; query < queries.size(); ++query) {
        PlannedResponse response;
        response.slice = query / queries_per_slice;
        response.query = query;
        response.position = plan.responses.size();
        response.id = queries[query].id + "/" + intrinsic_name;
        plan.responses.push_back(response);

        response.condition = Condition::prompted;
        for (std::size_t value = 0; value < concepts.concepts.size(); ++value) {
            response.position = plan.responses.size();
            response.id = queries[query].id + "/" + plan.value_ids[value];
            response.value = value;
            response.template_ = Rng(derive_seed(template_seed, response.id)).below(templates.size());
            response.system = templates[*response.template_].fill(concepts.concepts[value]);
            plan.responses.push_back(response);
        }
    }
    return plan;
}

std::span<const PlannedResponse> GenerationPlan::slice(std::size_t number) const {
    const auto before = [](const PlannedResponse & response, std::size_t wanted) {
        return response.slice < wanted;
    };
    const auto first = std::lower_bound(responses.begin(), responses.end(), number, before);
    const auto last = std::lower_bound(first, responses.end(), number + 1, before);
    return {first, last};
}

std::string GenerationPlan::fingerprint() const {
    Sha256 hash;
    const auto add = [&](std::string_view text) {
        hash.update(fmt::format("{}:", text.size())); // so that no two lists of texts run into the same bytes
        hash.update(text);
    };
    for (const PlannedResponse & response : responses) {
        add(response.id);
        add(std::to_string(response.slice));
        add(queries[response.query].text);
        add(response.system);
        add(response.template_ ? template_ids[*response.template_] : std::string());
    }
    return hash.hex();
}

} // namespace valuelens
