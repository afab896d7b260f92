#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "report/json.h"
#include "store/run_db.h"

namespace valuelens {

/// The parts of the model, each read from what one stage wrote. A part whose file is absent is null.
/// Each throws Error where its file is there and damaged.

/// Model, concept set, data, judge, labels per value, what was left out, examples of responses.
Json run_part(const RunDb & db, const std::filesystem::path & folder);

/// vectors.safetensors: counts and statistics per value and condition; no vectors.
Json vectors_part(const std::filesystem::path & folder);

/// axes.safetensors: its `stats`.
Json axes_part(const std::filesystem::path & folder);

/// geometry.json at three decimals.
Json geometry_part(const std::filesystem::path & folder);

/// neurons.json, and neurons.csv as columns: of each value the first `most` neurons, which are its longest. Where the
/// table cannot be read or has other numbers of lines than neurons.json counts, a sentence goes to `problems`.
Json neurons_part(const std::filesystem::path & folder, Json & problems, std::size_t most = 5000);

/// Results that a run does not make by itself: evaluations, tuned strengths, answers side by side, explanations.
struct Results {
    Json evaluations = Json::array();
    Json tunes = Json::array();
    Json samples = Json::array();
    Json explanations = Json::array(); ///< the first ones
    std::size_t n_explanations = 0;    ///< all
    std::vector<std::string> problems; ///< sentences about files of the run that cannot be used
};

/// The known files in `folder`, `folder/evaluation` and `folder/samples`, by name, then those of `include`. Files of
/// prompts (`sample --input`) among them tell what the answers side by side were asked; a prompt that none of them has
/// may be one of `prompts`, texts by id.
Results read_results(const std::filesystem::path & folder, const std::vector<std::filesystem::path> & include,
                     std::map<std::string, std::string> prompts = {});

} // namespace valuelens
