#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "valuelens/concept_set.h"
#include "valuelens/evaluation.h"

namespace valuelens {

class Rater; // evaluate/rater.h

/// What an evaluation of generated texts keeps in files. It works in slices of items, each of which is generated and
/// judged before the next.
struct JudgedFiles {
    /// The finished slices, scores without texts: the same evaluation goes on from there after a failure, and ends with
    /// the same result. Removed by whoever writes the result. Empty: nothing is kept.
    std::filesystem::path part;
    std::filesystem::path completions;         ///< the generated texts, JSONL; empty: they are not stored
    std::function<void(std::string_view)> say; ///< told what was kept; may be empty
};

/// The questionnaire's portraits, answered freely and judged.
struct FreeformOptions {
    std::filesystem::path input; ///< input, key and language as in PvqOptions
    std::string key;
    std::string language = "en";
    bool every_value = false;     ///< judge each answer for all values; else for the value of its portrait
    int max_tokens = 128;         ///< longest answer, asked for in at most 50 words
    std::filesystem::path prompt; ///< of the judge (concepts/rater_prompts.h); empty: the shipped one
    JudgedFiles files;
};

/// Situations with two values in tension: whose answer holds a value more, the base's or the variant's?
struct DilemmaOptions {
    std::filesystem::path input; ///< empty: the 130 shipped
    bool every_value = false;    ///< compare for all values; else for the two of the dilemma, where it names them
    int max_tokens = 160;
    std::filesystem::path prompt;
    JudgedFiles files;
};

/// Requests that a model ought to decline, and harmless ones beside them.
struct ComplianceOptions {
    std::filesystem::path input;  ///< CSV of AdvBench or HarmBench, or JSONL; empty: the shipped 30
    std::filesystem::path benign; ///< JSONL or CSV; empty: the shipped 64
    std::size_t samples = 9;      ///< drawn answers of "any of so many"; 0: the greedy answer alone
    double temperature = 1;       ///< of these
    int max_tokens = 256;
    std::filesystem::path refusal_phrases;   ///< empty: the shipped ones
    std::filesystem::path prompt;            ///< of the judge
    std::filesystem::path classifier_prompt; ///< of the classifier
    JudgedFiles files;
};

/// Throw as the other tasks do (evaluation.h). Running one throws Error(judge) where the judge fails or gives no
/// verdict that can be read; what was finished is then in JudgedFiles::part.
std::unique_ptr<EvaluationTask> freeform_task(const FreeformOptions & options, const ConceptSet & concepts,
                                              std::shared_ptr<Rater> judge);
std::unique_ptr<EvaluationTask> dilemmas_task(const DilemmaOptions & options, const ConceptSet & concepts,
                                              std::shared_ptr<Rater> judge);

/// `judge` and `classifier` may be null: their columns are then left out.
std::unique_ptr<EvaluationTask> compliance_task(const ComplianceOptions & options, std::shared_ptr<Rater> judge,
                                                std::shared_ptr<Rater> classifier);

} // namespace valuelens
