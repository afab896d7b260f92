#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "valuelens/concept_set.h"
#include "valuelens/intervention.h"
#include "valuelens/model.h"
#include "valuelens/progress.h"
#include "valuelens/request.h"
#include "valuelens/vectors.h"

namespace valuelens {

/// One of the models that an evaluation compares: the model as it is, or under an intervention.
struct EvaluationVariant {
    std::string name;                                       ///< unique in its evaluation; the first is "base"
    std::vector<std::string> steer;                         ///< the intervention as written: --steer
    std::vector<std::string> scale_neurons;                 ///< --scale-neurons
    std::shared_ptr<const Intervention> intervention;       ///< null: the model as it is; not kept in files
    std::vector<std::pair<std::string, std::string>> files; ///< that the intervention names, with their SHA-256
};

/// The model as it is, then what it is compared with. `steered` null: the model as it is alone.
std::vector<EvaluationVariant> evaluation_variants(std::vector<std::string> steer,
                                                   std::vector<std::string> scale_neurons,
                                                   std::shared_ptr<const Intervention> steered);

enum class Aggregate { mean, sum };

/// A number that is reported for groups of items.
struct EvaluationMeasure {
    std::string name;        ///< unique in its evaluation
    std::string quantity;    ///< what of an item it is made from, one of Evaluation::quantities
    std::string description; ///< one sentence with the unit
    Aggregate aggregate = Aggregate::mean;
    bool centred = false; ///< a group's number minus that of all items of the same variant; there is none overall
    bool grouped = true;  ///< false: overall only
};

/// A variant's score of an item and the base's, over the same questions. NaN: there is nothing to compare.
struct SharedScore {
    double variant = std::numeric_limits<double>::quiet_NaN();
    double base = std::numeric_limits<double>::quiet_NaN();
};

/// An item (a statement, a question, a reply) with what was measured on it.
struct EvaluationItem {
    std::string id;
    std::string cluster;                     ///< items of one cluster are resampled together; often its own id
    std::vector<std::string> groups;         ///< values or subjects that it counts for; may be none or several
    std::vector<std::vector<double>> scores; ///< [quantity][variant]; NaN: dropped

    /// [quantity][variant] where a score is the mean over several questions and variants lost different ones: what a
    /// variant and the base have over the questions that neither lost. Empty, or shorter than `scores`: the scores
    /// themselves compare.
    std::vector<std::vector<SharedScore>> shared;

    /// What a difference from the base is made of. NaN in both where one of them has nothing to compare.
    SharedScore against_base(std::size_t quantity, std::size_t variant) const {
        const bool own = quantity >= shared.size() || shared[quantity].empty();
        const SharedScore score =
            own ? SharedScore{scores[quantity][variant], scores[quantity].front()} : shared[quantity][variant];
        return std::isnan(score.variant) || std::isnan(score.base) ? SharedScore{} : score;
    }
};

/// An estimate and the number of items behind it.
struct EvaluationScore {
    Estimate estimate; ///< no interval (NaN) for fewer than two clusters
    std::size_t n = 0;
};

/// One measure of one group.
struct EvaluationRow {
    std::string measure;
    std::string group;                        ///< empty: overall
    std::vector<EvaluationScore> scores;      ///< [variant], each over the items that it has a score for
    std::vector<EvaluationScore> differences; ///< [variant] variant minus base over the items that both have a score
                                              ///< for (EvaluationItem::against_base), both resampled together; the
                                              ///< base's own has n = 0
};

/// A number about a whole evaluation that is no mean of its items: a correlation, an effect averaged over variants.
struct EvaluationStatistic {
    std::string name;
    std::string subject;     ///< what it is about: a set of variants, a language; may be empty
    std::string description; ///< one sentence with the unit
    Estimate estimate;
    double p = std::numeric_limits<double>::quiet_NaN(); ///< of the test that the description names; NaN: none
    std::size_t n = 0;                                   ///< numbers that it is made from
};

/// What was left out, counted.
struct EvaluationDrop {
    std::string reason;  ///< "too_long", "unparsable", "duplicate", ...
    std::string unit;    ///< what is counted: "items", "answers", "questions", "tags"
    std::string variant; ///< empty: for all variants alike
    std::size_t count = 0;
};

/// The result of any evaluation.
struct Evaluation {
    std::string name; ///< "pvq"
    std::string model_name;
    std::string model_identity;
    std::string tool_version;
    std::uint64_t seed = 0;
    std::size_t bootstraps = 0;
    double confidence = 0;
    std::vector<std::pair<std::string, std::string>> settings; ///< all else that the numbers depend on, as text
    std::vector<EvaluationVariant> variants;                   ///< the first is the model as it is
    std::string group_kind;                                    ///< what groups are: "value", "subject"
    std::vector<std::string> quantities;                       ///< what is measured on an item
    std::vector<EvaluationMeasure> measures;
    std::vector<EvaluationRow> rows; ///< by measure, then overall, then groups in order
    std::vector<EvaluationStatistic> statistics;
    std::vector<EvaluationDrop> dropped;
    std::vector<std::string> notes; ///< what a reader must know to read the numbers right
    std::vector<EvaluationItem> items;

    /// The row of a measure, overall or of a group. Null where there is none.
    const EvaluationRow * find(const std::string & measure, const std::string & group = {}) const;
};

/// What a variant loses against the base, base minus variant, with the paired interval. For accuracy these are
/// percentage points.
Estimate paired_drop(const EvaluationRow & row, std::size_t variant = 1);

/// What all evaluations are told.
struct EvaluationOptions {
    std::size_t limit = 0;         ///< a seeded sample of so many items; 0: all
    std::size_t bootstraps = 1000; ///< resamples of clusters behind each interval; 0: no intervals
    double confidence = 0.95;      ///< of the intervals, in (0, 1)
    std::uint64_t seed = 0;
};

/// Throws Error(usage) that names an option out of its range. evaluate() does so, too; callers that load a model first
/// may want to know earlier.
void check_evaluation_options(const EvaluationOptions & options);

/// How an answer is taken from a model.
enum class AnswerReading {
    logprobs, ///< expected score under the log-probabilities of the options
    greedy,   ///< a greedy answer is generated and parsed; what cannot be parsed is dropped and counted
};

/// Statements about a person, rated from "very much like me" (6) to "not like me at all" (1).
struct PvqOptions {
    std::filesystem::path input; ///< empty: the shipped 40 portraits
    std::string key;             ///< of a user's PVQ: a shipped key's name, or a TOML file; empty: the input names
                                 ///< the values itself
    std::string language = "en"; ///< of portraits and frames
    AnswerReading reading = AnswerReading::logprobs;
};

/// Value Portrait (Han et al. 2025): replies of others, rated for likeness to one's own thoughts, and their probability
/// as one's own.
struct PortraitOptions {
    std::filesystem::path input;  ///< query-response-tagged.json
    double min_correlation = 0.3; ///< a reply counts for a value where its correlation is greater
    bool similarity = true;       ///< ask how similar the reply is to its own thoughts
    bool generation = true;       ///< log-probability of the reply under an empty system message
    AnswerReading reading = AnswerReading::logprobs;
};

/// Questions with four options: what an intervention costs in capability.
struct MultipleChoiceOptions {
    std::filesystem::path input; ///< empty: the shipped questions
    int shots = 0;               ///< solved examples before each question
};

class Respondent; // evaluate/respondent.h

/// An evaluation whose input is read and checked; what is left is to ask a model.
class EvaluationTask {
public:
    virtual ~EvaluationTask() = default;

    virtual std::string name() const = 0;

    /// Asks, scores and summarizes. Throws Error(bad_input) where no item is left, Error(interrupted).
    virtual Evaluation run(Respondent & respondent, const EvaluationOptions & options) const = 0;
};

/// Throw Error(bad_input) with file:line for a broken input, Error(usage) for options that contradict each other.
std::unique_ptr<EvaluationTask> pvq_task(const PvqOptions & options, const ConceptSet & concepts);
std::unique_ptr<EvaluationTask> portrait_task(const PortraitOptions & options, const ConceptSet & concepts);
std::unique_ptr<EvaluationTask> multiple_choice_task(const MultipleChoiceOptions & options);

/// Asks a model under all variants, item by item in the same runs of the scheduler. Throws as the task does, and
/// Error(usage) for options out of range, no variant, or names that come twice.
Evaluation evaluate(const EvaluationTask & task, std::shared_ptr<Model> model, const SchedulerOptions & scheduler,
                    std::vector<EvaluationVariant> variants, const EvaluationOptions & options = {},
                    ProgressSink & progress = silent_progress(), std::stop_token stop = {});

/// An evaluation as a JSON object (docs/files.md, evaluation/*.json), without line break at the end. Equal evaluations
/// give equal text.
std::string evaluation_json(const Evaluation & evaluation, bool with_items = true);

/// Writes evaluation_json() to a file, whole or not at all.
void write_evaluation(const std::filesystem::path & path, const Evaluation & evaluation);

/// Reads it back; the interventions themselves are not in the file. Throws Error(bad_input) naming the file and what is
/// wrong.
Evaluation read_evaluation(const std::filesystem::path & path);

} // namespace valuelens
