#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>

#include "explain/job.h"
#include "explain/scores.h"

namespace valuelens {

/// Pearson's correlation of simulated with real activations (in the pole's direction, 0 against it) over all tokens
/// read of the held-out excerpts together, resampled by excerpt; 0 where the simulated ones are all the same. `problem`
/// says why there is none. Throws as the simulator, but for Error(model), which is a problem.
Estimate simulation_score(Simulator & simulator, const std::string & explanation, const HeldOut & held, Pole pole,
                          const ExplainOptions & options, std::uint64_t seed, const std::stop_token & stop,
                          std::string & problem);

/// A local model that reads the tokens of an excerpt one a line, each with an unknown strength, and tells at each the
/// expected strength by its probabilities of the numbers 0 to 10 (Bills et al. 2023, all tokens in one reading).
std::unique_ptr<Simulator> make_local_simulator(std::shared_ptr<Model> model, const SchedulerOptions & options);

} // namespace valuelens
