#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <vector>

namespace valuelens {

/// A question with four options, one of which is right.
struct MultipleChoiceQuestion {
    std::string id; ///< unique in its set
    std::string subject;
    std::string question;
    std::array<std::string, 4> options;
    int answer = 0;       ///< 0-3: the position of the right option
    bool example = false; ///< meant to be shown with its answer (few-shot), not to be scored
};

/// Questions, with what was left out and why.
struct MultipleChoiceSet {
    std::vector<MultipleChoiceQuestion> questions; ///< to score and examples, in the order of the files
    std::size_t duplicates = 0; ///< dropped: the same question with the same options again (among the questions to
                                ///< score, or among the examples)
    std::size_t ambiguous = 0;  ///< dropped: another option reads the same as the right one (MMLU has some)
};

/// The shipped general-knowledge questions: 240 to score, 5 examples. Their subjects take turns, so that any number of
/// the first ones is a fair mix.
MultipleChoiceSet shipped_multiple_choice();

/// Loads questions from
/// - a `.jsonl` or `.json` file of {"id", "subject", "question", "options": [4 strings], "answer": "A".."D",
///   "role"?: "example"};
/// - a CSV file of MMLU (Hendrycks et al. 2021): question, four options, answer (A-D or 0-3), with or without a header
///   row. The subject is the file's name without `_test`, `_dev`, `_val` or `_train`; the questions of `_dev` files are
///   examples, as there; the ids are `<file name>-<n>`, n counting the file's questions from 1;
/// - a folder with such CSV files, read in the order of their names; where it has none itself, its folders `test` and
///   `dev`, in which names may lack `_test` and `_dev` (not `val` nor others: load these by their own path).
/// Texts lose white space at their ends. Throws Error(bad_input) with file:line for a broken record, an empty text, an
/// answer that is no key, an id seen before, equal options (in JSON, which is the user's own to mend), and where
/// nothing is left.
MultipleChoiceSet load_multiple_choice(const std::filesystem::path & path);

} // namespace valuelens
