#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "explain/harvest.h"
#include "explain/job.h"
#include "explain/poles.h"

namespace valuelens {

/// The lens of one axis at one layer.
struct AxisLens {
    std::string value;
    std::string axis;
    std::size_t layer = 0;
    LensTokens tokens;
};

/// Writes explanations.jsonl (docs/files.md). `lenses`: [neurons], empty without a lens.
void write_explanations(const ExplainJob & job, const Harvester & harvest, std::span<const PoleWork> poles,
                        std::span<const LensTokens> lenses, const ExplainOptions & options);

/// explanations.json: what the lines do not say.
std::string companion_json(const ExplainJob & job, const ExplainSummary & summary, const ExplainOptions & options,
                           std::span<const AxisLens> axes, const std::string & settings);

/// One of its categories. Tokens are as the model spells them, which need not be valid UTF-8.
nlohmann::ordered_json category_json(const CategorySummary & category);

} // namespace valuelens
