#pragma once

#include <cstdint>
#include <filesystem>
#include <set>

#include "generate/generator.h"
#include "generate/plan.h"

namespace valuelens {

/// What the part of a plan that is still to be done will take.
struct GenerateEstimate {
    std::size_t responses = 0;
    std::uint64_t disk_bytes = 0;    ///< activations, texts and tokens; responses of full length assumed
    std::uint64_t prompt_tokens = 0; ///< shared prefixes counted each time
    std::uint64_t max_response_tokens = 0;
};

/// Estimates the slices of this shard that are not in `finished`. Prompt sizes are extrapolated from at most 64
/// prompts, evenly spaced.
GenerateEstimate estimate_generation(const GenerationPlan & plan, const Generator & generator,
                                     const GenerateOptions & options, const std::set<std::size_t> & finished = {});

/// Throws Error(bad_input) that states both sizes, where `available` bytes in `folder` are fewer than the estimate.
void require_disk_space(const GenerateEstimate & estimate, const std::filesystem::path & folder,
                        std::uint64_t available);

/// The same with the free space the file system reports; no error where it reports none.
void require_disk_space(const GenerateEstimate & estimate, const std::filesystem::path & folder);

} // namespace valuelens
