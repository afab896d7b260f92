#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "valuelens/concept_set.h"
#include "valuelens/query.h"
#include "valuelens/records.h"
#include "valuelens/request.h"

namespace valuelens {

/// How the means over response tokens are kept.
enum class StoredActivations {
    f32,
    f16,  ///< half the space: F16, scaled per row (ActivationFormat::f16_scaled)
    none, ///< sums by value, condition and class only (SliceSums); needs labels while generating
};

struct GenerateOptions {
    int max_tokens = 256;         ///< longest response
    Sampling sampling;            ///< its seed is not used: each response has one of its own, derived from `seed`
    std::uint64_t seed = 0;       ///< of templates and sampling
    std::size_t slice_size = 256; ///< responses per slice, rounded down to whole queries, at least one query
    StoredActivations activations = StoredActivations::f32;
    int shard_index = 0; ///< this process takes the slices s with s % shard_count == shard_index
    int shard_count = 1;
};

/// One response to generate.
struct PlannedResponse {
    std::string id;           ///< "<query id>/intrinsic" or "<query id>/<value id>"
    std::size_t position = 0; ///< in the plan
    std::size_t slice = 0;
    std::size_t query = 0; ///< index into GenerationPlan::queries
    Condition condition = Condition::intrinsic;
    std::optional<std::size_t> value;     ///< prompted: index into value_ids
    std::optional<std::size_t> template_; ///< prompted: index into template_ids
    std::string system;                   ///< intrinsic: empty, given to the model as an explicit empty system message
};

/// All responses of a run, in order of position: for each query first the intrinsic response, then one for each value.
/// They are made when asked for, so that a plan takes the memory of its queries. A slice is a run of positions that
/// holds whole queries.
class GenerationPlan {
public:
    GenerationPlan(const ConceptSet & concepts, std::span<const Query> queries,
                   std::span<const PromptTemplate> templates, const GenerateOptions & options);

    std::vector<Query> queries;
    std::vector<std::string> value_ids;
    std::vector<std::string> template_ids;
    std::size_t n_slices = 0;

    std::size_t size() const { return queries.size() * per_query(); }
    PlannedResponse response(std::size_t position) const;

    /// The responses of one slice; none where there is no such slice.
    std::vector<PlannedResponse> slice(std::size_t number) const;
    std::size_t slice_size(std::size_t number) const;

    /// SHA-256 of everything the responses depend on: ids, query texts, system texts, slices.
    std::string fingerprint() const;

private:
    std::size_t per_query() const { return 1 + concepts_.size(); }

    std::vector<Concept> concepts_;
    std::vector<PromptTemplate> templates_;
    std::uint64_t template_seed_ = 0;
    std::size_t queries_per_slice_ = 1;
};

/// The template of a prompted response is drawn from the sub-stream of the response's id: a query's part of the plan
/// does not depend on the other queries. Throws Error(bad_input) where there is no query, concept or template, or ids
/// clash; Error(usage) for a slice size or shard out of range.
GenerationPlan plan_generation(const ConceptSet & concepts, std::span<const Query> queries,
                               std::span<const PromptTemplate> templates, const GenerateOptions & options);

/// How many of `n_slices` slices shard `index` of `count` takes.
std::size_t shard_size(std::size_t n_slices, int index, int count);

/// The slices of the shard in `options` that are not in `finished`, in order.
std::vector<std::size_t> open_slices(const GenerationPlan & plan, const GenerateOptions & options,
                                     const std::set<std::size_t> & finished);

} // namespace valuelens
