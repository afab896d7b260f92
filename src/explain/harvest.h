#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>

#include "explain/corpus.h"
#include "explain/harvester.h"
#include "valuelens/explain.h"
#include "valuelens/progress.h"

namespace valuelens {

/// What a harvest read.
struct HarvestCounts {
    std::string identity; ///< all that the harvest depends on, as one hash
    std::uint64_t documents = 0;
    std::uint64_t short_documents = 0; ///< with fewer than two tokens: left out
    double seconds = 0;                ///< of this call, reading the model excluded
};

/// Throws Error(usage) for a window out of range.
void check_options(const HarvestOptions & options);

/// Reads the corpus once through the model and gathers excerpts of all neurons together, in constant memory.
///
/// Each document is cut into windows of `options.window` tokens, with a BOS before each where the model wants one.
/// Where it wants none, attention rests on the first token whatever it is, and its activations say little about the
/// text: it is left out. A remainder of one token is left out, too.
///
/// With a `checkpoint` (may be empty), a stopped harvest goes on where it stood and ends with the same state; a
/// finished one is read back. Throws Error(bad_input), Error(model), Error(interrupted), and as check_options().
Harvester harvest(const std::shared_ptr<Model> & model, const SchedulerOptions & scheduler,
                  const std::vector<NeuronId> & neurons, const Corpus & corpus, const HarvestOptions & options,
                  const std::filesystem::path & checkpoint, HarvestCounts & counts, ProgressSink & progress,
                  std::stop_token stop);

} // namespace valuelens
