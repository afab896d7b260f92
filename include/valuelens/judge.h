#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "valuelens/concept_set.h"
#include "valuelens/progress.h"
#include "valuelens/records.h"

namespace valuelens {

/// A text to judge. A judge sees the bare response, not its prompt.
struct JudgeItem {
    std::string id; ///< of the response
    std::string text;
    std::vector<std::size_t> values; ///< which concepts to judge, by position in the set; ascending
};

/// What is to be judged, in figures.
struct JudgeWork {
    std::uint64_t pairs = 0;      ///< of a response and a value
    std::uint64_t text_bytes = 0; ///< of the responses, counted once for each pair
};

/// Labels (response, value) pairs with a probability. Implementations: a probe on a small model, a local model or one
/// on a server asked yes/no, labels from a file, value dictionaries.
class Judge {
public:
    virtual ~Judge() = default;

    /// One line that identifies the judge and all that its labels depend on (kind, model identity, prompt, ...).
    virtual std::string describe() const = 0;

    /// Identity of the model behind it, empty where there is none; equal to the subject's means circular labels.
    virtual std::string model_identity() const { return {}; }

    /// A sentence on what the work will cost (requests, tokens, money); empty where it costs nothing but time.
    virtual std::string estimate(const JudgeWork & /*work*/) const { return {}; }

    /// For each item one probability per entry of `values`. NaN: the judge has no opinion (counted by the caller).
    /// Throws Error(judge) when the judge fails, Error(interrupted) on a stop request.
    virtual std::vector<std::vector<double>> judge(std::span<const JudgeItem> items, ProgressSink & progress,
                                                   std::stop_token stop) = 0;
};

/// How well a judge agrees with human labels, for one value.
struct JudgeQuality {
    std::string value;
    std::size_t n_positive = 0;
    std::size_t n_negative = 0;
    std::size_t n_no_opinion = 0; ///< texts the judge could not judge; left out of everything
    std::size_t n_undecided = 0;  ///< probability inside the undecided band; left out of precision, recall, F1
    double auroc = 0, auroc_low = 0, auroc_high = 0;
    double precision = 0, precision_low = 0, precision_high = 0;
    double recall = 0, recall_low = 0, recall_high = 0;
    double f1 = 0, f1_low = 0, f1_high = 0;
};

struct JudgeCheck {
    std::string judge; ///< describe()
    std::string data;  ///< what it was measured on
    std::size_t n_texts = 0;
    std::vector<JudgeQuality> values;
    double mean_auroc = 0, mean_auroc_low = 0, mean_auroc_high = 0;
};

struct JudgeCheckOptions {
    double undecided_low = 0.4;
    double undecided_high = 0.6;
    std::size_t bootstraps = 200; ///< resamples of texts behind each 95 % interval
    std::uint64_t seed = 0;
};

/// Measures a judge on texts that people labelled.
JudgeCheck check_judge(Judge & judge, const ConceptSet & concepts, std::span<const LabelledText> texts,
                       const std::string & data_name, const JudgeCheckOptions & options, ProgressSink & progress,
                       std::stop_token stop = {});

} // namespace valuelens
