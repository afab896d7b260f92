#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "valuelens/concept_set.h"
#include "valuelens/evaluation.h"
#include "valuelens/progress.h"
#include "valuelens/run_config.h"

namespace valuelens {

/// Directions × values × strengths, as a run's config states them: comma-separated lists.
struct EvaluateMatrix {
    std::string section; ///< of the config, for messages
    std::string directions;
    std::string values; ///< empty: all of the concept set
    std::string alphas;
    std::string unit;
    std::string layers; ///< empty: all
};

/// That of [evaluate], and that of the evaluations in which the model writes: [evaluate_written], where it says nothing
/// as [evaluate].
EvaluateMatrix chosen_matrix(const RunConfig & config);
EvaluateMatrix written_matrix(const RunConfig & config);

/// The parts of a comma-separated list, each once. Throws Error(usage) that names the key.
std::vector<std::string> list_parts(const std::string & list, const std::string & key);

/// One variant of a matrix: "power/shared@4" or, of a direction that no value has to itself, "compliance@4"; and its
/// --steer with the file named from the run's folder.
struct MatrixCell {
    std::string name;
    std::string steer;
};

/// Throws Error(usage) for a direction, value, strength or layers that cannot be, and for a matrix without cells.
std::vector<MatrixCell> matrix_cells(const EvaluateMatrix & matrix, const ConceptSet & concepts);

/// The model as it is, and the cells whose directions are there; what is left out is said.
struct MatrixVariants {
    std::vector<EvaluationVariant> variants;
    std::vector<std::string> notes;
};

/// The files of a run that cells name, each with its SHA-256; the axes first.
using MatrixFiles = std::vector<std::pair<std::string, std::string>>;
MatrixFiles matrix_files(const std::filesystem::path & folder);

/// Reads the cells' directions from the files of the run `folder`. Throws Error(bad_input) where none is there.
MatrixVariants load_cells(const std::filesystem::path & folder, const std::vector<MatrixCell> & cells,
                          const MatrixFiles & files, const ModelInfo & model, ProgressSink & progress);

} // namespace valuelens
