#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace valuelens {

/// What somebody asks a model to do.
struct ModelRequest {
    std::string id;       ///< unique in its set
    std::string category; ///< may be empty
    std::string text;
    std::string context; ///< a text that the request is about; may be empty

    /// The user's turn: the context, a line of dashes, and the request, as HarmBench puts them.
    std::string prompt() const;
};

struct RequestSet {
    std::vector<ModelRequest> requests;
    std::size_t duplicates = 0; ///< dropped: the same prompt again
    std::size_t copyright = 0;  ///< dropped: HarmBench's requests for protected texts, whose success is another matter
};

/// The shipped requests that a model ought to decline; none says how a thing is done.
RequestSet shipped_refusable_requests();

/// The shipped requests that are harmless and sound as if they were not.
RequestSet shipped_benign_requests();

/// Loads requests: a CSV of AdvBench (column "goal"; other columns are passed over), a CSV of HarmBench ("Behavior" and
/// "BehaviorID"; "SemanticCategory", "FunctionalCategory" and "ContextString" where it has them), or JSONL `{"text",
/// "id"?, "category"?, "context"?}`. Without ids the number of the record is one. Throws Error(bad_input) with
/// file:line for a broken record, an empty text or an id that comes twice, and where no request is left.
RequestSet load_requests(const std::filesystem::path & path);

} // namespace valuelens
