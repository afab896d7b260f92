#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace valuelens {

/// What acting on a value looks like in a dilemma.
struct DilemmaSide {
    std::string value; ///< id of the concept
    std::string text;
};

/// An everyday situation in which two values pull in different directions.
struct Dilemma {
    std::string id; ///< unique in its set
    std::string situation;
    std::string question;           ///< empty where the situation ends with it
    std::vector<DilemmaSide> sides; ///< two; none where the source names no values (daily-dilemmas)

    /// What a model is asked: the situation and the question.
    std::string prompt() const;
};

struct DilemmaSet {
    std::vector<Dilemma> dilemmas;
    std::size_t duplicates = 0; ///< dropped: the same situation and question again
};

/// The 130 shipped dilemmas.
DilemmaSet shipped_dilemmas();

/// Loads dilemmas: JSONL `{"id", "situation", "question", "values": [A, B], "sides": {A: "...", B: "..."}}`, or the CSV
/// of DailyDilemmas (Chiu et al. 2024; columns "dilemma_situation" and "dilemma_idx" or "idx"), whose table of actions
/// repeats each situation. `values` are the known concept ids. Throws Error(bad_input) with file:line for a broken
/// record, an empty text, an unknown value or an id used for two situations.
DilemmaSet load_dilemmas(const std::filesystem::path & path, const std::vector<std::string> & values);

} // namespace valuelens
