#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "valuelens/concept_set.h"

namespace valuelens {

/// A reply to a real query, with how strongly people who hold each value see themselves in it.
struct PortraitResponse {
    std::string id;       ///< "<query_id>/<id of the reply>", unique
    std::string query_id; ///< the file's portrait_id, else "n<element>"
    std::string query;    ///< title and text
    std::string response;
    std::vector<double> correlations; ///< [concept], in [-1, 1]; NaN where the file states none
};

struct ValuePortrait {
    std::vector<PortraitResponse> responses;
    std::size_t queries = 0;              ///< records of the file
    std::size_t duplicates = 0;           ///< dropped: the same reply to the same query
    std::size_t unmatched_tags = 0;       ///< dropped: correlations with what is no concept of the set
    std::vector<std::string> unmatched;   ///< the names of those, each once
    std::vector<std::string> without_tag; ///< ids of concepts that no reply is tagged with
};

/// Loads Value Portrait's query-response-tagged.json (Han et al. 2025): `[{"content": {"title", "text"},
/// "portrait_id"?, "outputs": [{"content", "id"?, "correlations": [["Power", 0.19], ...]}]}]`. A name stands for the
/// concept whose id or name has the same letters and digits ("Self_Direction"). The other tables (higher-order domains,
/// Big Five) are not read. Throws Error(bad_input) naming file, element and reply for a missing or empty field, a
/// correlation that is not in [-1, 1] or given twice, and where no name matches at all.
ValuePortrait load_value_portrait(const std::filesystem::path & path, const ConceptSet & concepts);

} // namespace valuelens
