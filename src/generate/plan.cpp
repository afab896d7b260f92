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
    return {concepts, queries, templates, options};
}

// A seed stream of its own: the sampling seeds are derived from the same ids.
GenerationPlan::GenerationPlan(const ConceptSet & concepts, std::span<const Query> query_list,
                               std::span<const PromptTemplate> templates, const GenerateOptions & options)
    : queries(query_list.begin(), query_list.end()), concepts_(concepts.concepts),
      templates_(templates.begin(), templates.end()), template_seed_(derive_seed(options.seed, "templates")) {
    for (const Concept & item : concepts_) {
        value_ids.push_back(item.id);
    }
    for (const PromptTemplate & item : templates_) {
        template_ids.push_back(item.id);
    }
    queries_per_slice_ = std::max<std::size_t>(1, options.slice_size / per_query());
    n_slices = (queries.size() + queries_per_slice_ - 1) / queries_per_slice_;
}

PlannedResponse GenerationPlan::response(std::size_t position) const {
    PlannedResponse response;
    response.position = position;
    response.query = position / per_query();
    response.slice = response.query / queries_per_slice_;
    const std::string & query = queries.at(response.query).id;
    if (position % per_query() == 0) {
        response.id = query + "/" + intrinsic_name;
        return response;
    }
    const std::size_t value = position % per_query() - 1;
    response.condition = Condition::prompted;
    response.id = query + "/" + value_ids[value];
    response.value = value;
    response.template_ = Rng(derive_seed(template_seed_, response.id)).below(templates_.size());
    response.system = templates_[*response.template_].fill(concepts_[value]);
    return response;
}

std::size_t GenerationPlan::slice_size(std::size_t number) const {
    const std::size_t first = std::min(queries.size(), number * queries_per_slice_);
    return std::min(queries_per_slice_, queries.size() - first) * per_query();
}

std::vector<PlannedResponse> GenerationPlan::slice(std::size_t number) const {
    std::vector<PlannedResponse> planned;
    const std::size_t first = number * queries_per_slice_ * per_query();
    for (std::size_t i = 0; i < slice_size(number); ++i) {
        planned.push_back(response(first + i));
    }
    return planned;
}

std::string GenerationPlan::fingerprint() const {
    Sha256 hash;
    const auto add = [&](std::string_view text) {
        hash.update(fmt::format("{}:", text.size())); // so that no two lists of texts run into the same bytes
        hash.update(text);
    };
    for (std::size_t position = 0; position < size(); ++position) {
        const PlannedResponse planned = response(position);
        add(planned.id);
        add(std::to_string(planned.slice));
        add(queries[planned.query].text);
        add(planned.system);
        add(planned.template_ ? template_ids[*planned.template_] : std::string());
    }
    return hash.hex();
}

std::size_t shard_size(std::size_t n_slices, int index, int count) {
    const auto first = static_cast<std::size_t>(index);
    const auto step = static_cast<std::size_t>(count);
    return first >= n_slices ? 0 : (n_slices - first + step - 1) / step;
}

std::vector<std::size_t> open_slices(const GenerationPlan & plan, const GenerateOptions & options,
                                     const std::set<std::size_t> & finished) {
    std::vector<std::size_t> open;
    const auto step = static_cast<std::size_t>(options.shard_count);
    for (auto slice = static_cast<std::size_t>(options.shard_index); slice < plan.n_slices; slice += step) {
        if (finished.count(slice) == 0) {
            open.push_back(slice);
        }
    }
    return open;
}

} // namespace valuelens
