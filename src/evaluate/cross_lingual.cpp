#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "base/fail.h"
#include "evaluate/pvq.h"
#include "evaluate/question_scores.h"
#include "evaluate/task.h"
#include "evaluate/value_effects.h"
#include "valuelens/rule_evaluations.h"

namespace valuelens {
namespace {

class CrossLingualTask : public EvaluationTask {
public:
    CrossLingualTask(const CrossLingualOptions & options, const ConceptSet & concepts)
        : languages_(options.languages), concepts_(concepts) {
        if (languages_.empty() || std::set(languages_.begin(), languages_.end()).size() != languages_.size()) {
            fail(ErrorKind::usage, "--languages {}: expected one or more, each once", fmt::join(languages_, ","));
        }
        if (!options.pvq.key.empty()) {
            fail(ErrorKind::usage, "cross-lingual takes no --key: a published form is in one language");
        }
        for (const std::string & language : languages_) {
            PvqOptions of_language = options.pvq;
            of_language.language = language;
            tasks_.emplace_back(of_language, concepts);
        }
    }

    std::string name() const override { return "cross-lingual"; }

    Evaluation run(Respondent & respondent, const EvaluationOptions & options) const override {
        Evaluation result;
        std::vector<std::size_t> likeness; ///< [language] the quantity
        for (std::size_t i = 0; i < tasks_.size(); ++i) {
            Evaluation one = tasks_[i].score(respondent, options);
            const auto found = std::find(one.quantities.begin(), one.quantities.end(), "likeness");
            likeness.push_back(result.quantities.size() + static_cast<std::size_t>(found - one.quantities.begin()));
            if (i == 0) {
                start(result, one);
            }
            append(result, std::move(one), languages_[i]);
        }
        for (std::size_t i = 0; i < languages_.size(); ++i) {
            note_without_scores(result, likeness[i], languages_[i]);
        }
        finish_evaluation(result, respondent, concept_ids(concepts_));
        add_transfer(result, likeness);
        return result;
    }

private:
    void start(Evaluation & result, const Evaluation & first) const {
        result = first;
        result.name = name();
        for (auto & [setting, value] : result.settings) {
            if (setting == "language") {
                setting = "languages";
                value = fmt::format("{}", fmt::join(languages_, ","));
            }
        }
        result.quantities.clear();
        result.measures.clear();
        result.dropped.clear();
        for (EvaluationItem & item : result.items) {
            item.scores.clear();
            item.shared.clear();
        }
    }

    /// Puts a language's scores beside those of the others: an item is a portrait in all languages.
    static void append(Evaluation & result, Evaluation && one, const std::string & language) {
        for (const std::string & quantity : one.quantities) {
            result.quantities.push_back(fmt::format("{}_{}", quantity, language));
        }
        for (EvaluationMeasure measure : one.measures) {
            measure.name += fmt::format("_{}", language);
            measure.quantity += fmt::format("_{}", language);
            measure.description += fmt::format(" ({})", language);
            result.measures.push_back(std::move(measure));
        }
        for (EvaluationDrop drop : one.dropped) {
            drop.reason += fmt::format("_{}", language);
            result.dropped.push_back(std::move(drop));
        }
        for (const std::string & note : one.notes) {
            if (std::find(result.notes.begin(), result.notes.end(), note) == result.notes.end()) {
                result.notes.push_back(note);
            }
        }
        if (one.items.size() != result.items.size()) {
            fail(ErrorKind::bad_input, "the questionnaire has {} items in {} and {} in the first language",
                 one.items.size(), language, result.items.size());
        }
        for (std::size_t i = 0; i < one.items.size(); ++i) {
            EvaluationItem & item = result.items[i];
            if (one.items[i].id != item.id) {
                fail(ErrorKind::bad_input,
                     "item {} of the questionnaire is \"{}\" in {} and \"{}\" in the first language", i + 1,
                     one.items[i].id, language, item.id);
            }
            for (std::size_t quantity = 0; quantity < one.items[i].scores.size(); ++quantity) {
                const auto & shared = one.items[i].shared;
                add_quantity(item, one.items[i].scores[quantity],
                             quantity < shared.size() ? shared[quantity] : std::vector<SharedScore>());
            }
        }
    }

    /// A language that the model does not answer in does not take the others with it.
    static void note_without_scores(Evaluation & result, std::size_t likeness, const std::string & language) {
        const bool scored = std::any_of(result.items.begin(), result.items.end(), [&](const EvaluationItem & item) {
            return !std::isnan(item.scores[likeness].front());
        });
        if (!scored) {
            result.notes.push_back(fmt::format(
                "no item has a score in {}, so nothing is said of that language; what was dropped tells why",
                language));
        }
    }

    /// The effect on the value steered toward, language by language and against the first.
    void add_transfer(Evaluation & result, const std::vector<std::size_t> & likeness) const {
        constexpr double none = std::numeric_limits<double>::quiet_NaN();
        const std::vector<ValueVariants> sets = value_variants(result, concepts_);
        if (sets.empty() && result.variants.size() > 1) {
            result.notes.emplace_back("no variant names the value that it is steered toward, so no effect on it is "
                                      "averaged; write {value} where --steer or --scale-neurons name it");
        }
        for (const ValueVariants & set : sets) {
            std::vector<EffectStatistic> statistics;
            for (std::size_t i = 0; i < languages_.size(); ++i) {
                statistics.emplace_back([&set, i](const auto & of) { return target_effect(of[i], set); });
                statistics.emplace_back(
                    [&set, i](const auto & of) { return target_effect(of[i], set) - target_effect(of.front(), set); });
            }
            const std::vector<Estimate> estimates = estimate_effects(result, likeness, set, concepts_, statistics);
            const std::vector<EffectMatrix> matrices = effects(result, likeness, set, concepts_);
            note_missing_values(result, matrices.front(), set, concepts_);
            for (std::size_t i = 0; i < languages_.size(); ++i) {
                const std::string subject =
                    set.label.empty() ? languages_[i] : fmt::format("{} {}", set.label, languages_[i]);
                result.statistics.push_back(
                    {"target_effect", subject,
                     "mean over values of the centred difference from the base in the value steered toward",
                     estimates[2 * i], none, set.values.size() - values_without_items(matrices[i], set).size()});
                if (i > 0) {
                    result.statistics.push_back(
                        {"target_effect_minus_" + languages_.front(), subject,
                         "the same minus that in " + languages_.front() + ", portraits resampled together",
                         estimates[2 * i + 1], none, set.values.size()});
                }
            }
        }
    }

    std::vector<std::string> languages_;
    ConceptSet concepts_;
    std::vector<PvqTask> tasks_;
};

} // namespace

std::unique_ptr<EvaluationTask> cross_lingual_task(const CrossLingualOptions & options, const ConceptSet & concepts) {
    return std::make_unique<CrossLingualTask>(options, concepts);
}

} // namespace valuelens
