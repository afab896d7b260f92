#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

#include "valuelens/concept_set.h"
#include "valuelens/query.h"

/// Inputs of a small run.
inline valuelens::ConceptSet toy_concepts() {
    valuelens::ConceptSet set{"toy", "", "", {}};
    set.concepts.push_back({"power", "Power", "status", "power", "", {}, {}});
    set.concepts.push_back({"care", "Care", "welfare", "care", "", {}, {}});
    return set;
}

inline std::vector<valuelens::Query> toy_queries(std::size_t n) {
    std::vector<valuelens::Query> queries;
    for (std::size_t i = 0; i < n; ++i) {
        queries.push_back({fmt::format("q{}", i), fmt::format("Question {}?", i), ""});
    }
    return queries;
}

inline std::vector<valuelens::PromptTemplate> toy_templates(std::size_t n) {
    std::vector<valuelens::PromptTemplate> templates;
    for (std::size_t i = 0; i < n; ++i) {
        templates.push_back({fmt::format("t{}", i), fmt::format("Template {} {{value}}: {{definition}}.", i)});
    }
    return templates;
}
