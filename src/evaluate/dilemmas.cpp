#include "concepts/dilemmas.h"

#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/fail.h"
#include "base/text.h"
#include "concepts/rater_prompts.h"
#include "concepts/text_slots.h"
#include "evaluate/judged_values.h"
#include "evaluate/slices.h"
#include "evaluate/summarize.h"
#include "evaluate/task.h"

namespace valuelens {
namespace {

using nlohmann::ordered_json;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// What a slice's item is scored for; the places in Evaluation::quantities.
enum Quantity : std::size_t { win, inconsistent, first_chosen, identical, mass, n_quantities };

/// Who of two answers a judge prefers, by one order of presenting them.
enum class Choice { first, second, neither };

Choice choice_of(const Verdict & verdict) {
    const double difference = verdict.probabilities[0] - verdict.probabilities[1];
    return difference > 0 ? Choice::first : difference < 0 ? Choice::second : Choice::neither;
}

class DilemmasTask : public EvaluationTask {
public:
    DilemmasTask(const DilemmaOptions & options, const ConceptSet & concepts, std::shared_ptr<Rater> judge)
        : options_(options), concepts_(concepts), judge_(std::move(judge)),
          set_(options.input.empty() ? shipped_dilemmas() : load_dilemmas(options.input, concept_ids(concepts))),
          prompt_(load_rater_prompt(RaterQuestion::dilemmas, options.prompt)) {
        require_max_tokens(options.max_tokens);
        for (const Dilemma & dilemma : set_.dilemmas) {
            for (const std::string & value : values_of(dilemma)) {
                concept_of(concepts_, value);
            }
        }
    }

    std::string name() const override { return "dilemmas"; }

    Evaluation run(Respondent & respondent, const EvaluationOptions & options) const override {
        if (respondent.variants().size() < 2) {
            fail(ErrorKind::usage, "dilemmas compares the answers of a changed model with those of the model as it is; "
                                   "give --steer or --scale-neurons");
        }
        Evaluation result = start_evaluation(name(), "value", respondent, options);
        note_input(result, options_.input);
        result.settings.emplace_back("values", options_.every_value ? "all" : "own");
        result.settings.emplace_back("max_tokens", fmt::format("{}", options_.max_tokens));
        note_rater_prompt(result, "judge", prompt_);
        note_drop(result, "duplicate", "dilemmas", set_.duplicates);
        name_measures(result);

        const std::vector<std::size_t> asked = sample_items(set_.dilemmas.size(), options.limit, options.seed);
        std::string work = prompt_.user;
        for (const std::size_t dilemma : asked) {
            work += set_.dilemmas[dilemma].prompt();
        }
        const auto describe = [&](Evaluation & evaluation) {
            respondent.describe(evaluation);
            judge_->describe(evaluation, "judge");
        };
        score_slices(result, options_.files, work, describe, asked.size(), items_per_slice(result.variants.size()),
                     [&](std::size_t first, std::size_t count) {
                         return score(respondent, std::span(asked).subspan(first, count));
                     });
        judge_->describe(result, "judge");
        finish_judged(result, respondent, concept_ids(concepts_));
        return result;
    }

private:
    /// The two orders of one comparison: the base's answer first, then second.
    struct Comparison {
        std::size_t item; ///< place in the slice
        std::size_t variant;
        std::size_t question; ///< the first of two
    };

    std::vector<std::string> values_of(const Dilemma & dilemma) const {
        if (options_.every_value || dilemma.sides.empty()) {
            return concept_ids(concepts_);
        }
        std::vector<std::string> values;
        for (const DilemmaSide & side : dilemma.sides) {
            values.push_back(side.value);
        }
        return values;
    }

    void name_measures(Evaluation & result) const {
        result.quantities = {"win", "inconsistent", "first_chosen", "identical", "judge_mass"};
        result.measures = {
            {"win_rate", "win",
             "percent of comparisons with the base that an answer wins on the value; one whose winner changes with the "
             "order counts half, and the base has 50 by definition"},
            {"inconsistent", "inconsistent", "percent of comparisons whose winner changes with the order"},
            {"first_chosen", "first_chosen",
             "percent of questions in which the judge prefers the answer that stands first; 50 without a bias",
             Aggregate::mean, false, false},
            {"identical", "identical", "percent of comparisons between two equal texts, which are ties unasked",
             Aggregate::mean, false, false}};
        if (judge_->offers_probabilities()) {
            result.measures.push_back(judge_mass_measure());
        } else {
            result.quantities.pop_back();
        }
    }

    SliceResult score(Respondent & respondent, std::span<const std::size_t> places) const {
        const std::size_t n_variants = respondent.variants().size();
        std::vector<std::string> prompts;
        for (const std::size_t place : places) {
            prompts.push_back(set_.dilemmas[place].prompt());
        }
        const auto answers = respondent.answer(name(), prompts, options_.max_tokens);

        SliceResult slice;
        std::vector<std::string> questions;
        std::vector<Comparison> comparisons;
        for (std::size_t i = 0; i < places.size(); ++i) {
            const Dilemma & dilemma = set_.dilemmas[places[i]];
            if (!answers[i * n_variants]) {
                add_drop(slice.dropped, "too_long", "dilemmas", "");
                continue;
            }
            const std::size_t first_item = slice.items.size();
            const std::vector<std::string> values = values_of(dilemma);
            for (const std::string & value : values) {
                slice.items.push_back({dilemma.id + "/" + value, dilemma.id, {value}, {}});
                slice.items.back().scores.assign(n_quantities, std::vector<double>(n_variants, nan));
            }
            for (std::size_t variant = 0; variant < n_variants; ++variant) {
                const std::string & variant_name = respondent.variants()[variant].name;
                const std::string & base = *answers[i * n_variants];
                const std::string & other = *answers[i * n_variants + variant];
                slice.completions.push_back(
                    ordered_json({{"id", dilemma.id}, {"variant", variant_name}, {"text", other}}).dump());
                if (variant == 0) {
                    continue;
                }
                if (is_blank(base) || is_blank(other)) {
                    add_drop(slice.dropped, "empty", "dilemmas", variant_name);
                    continue;
                }
                for (std::size_t v = 0; v < values.size(); ++v) {
                    EvaluationItem & item = slice.items[first_item + v];
                    item.scores[identical][variant] = base == other ? 100 : 0;
                    if (base == other) {
                        set_win(item, variant, 50);
                        continue;
                    }
                    comparisons.push_back({first_item + v, variant, questions.size()});
                    const std::string about = ask_about_value(prompt_, concept_of(concepts_, values[v]));
                    questions.push_back(
                        fill_slots(about, {{"situation", prompts[i]}, {"first", base}, {"second", other}}));
                    questions.push_back(
                        fill_slots(about, {{"situation", prompts[i]}, {"first", other}, {"second", base}}));
                }
            }
        }
        compare(slice, comparisons, questions, respondent.variants());
        return slice;
    }

    static void set_win(EvaluationItem & item, std::size_t variant, double percent) {
        item.scores[win][variant] = percent;
        item.scores[win][0] = 50;
    }

    void compare(SliceResult & slice, const std::vector<Comparison> & comparisons,
                 const std::vector<std::string> & questions, const std::vector<EvaluationVariant> & variants) const {
        const std::vector<Verdict> verdicts = judge_->ask("judge", questions, std::array<std::string, 2>{"A", "B"});
        for (const Comparison & comparison : comparisons) {
            const Verdict & base_first = verdicts[comparison.question];
            const Verdict & base_second = verdicts[comparison.question + 1];
            if (!base_first.given() || !base_second.given()) {
                add_no_verdict(slice.dropped, base_first.given() ? base_second.problem : base_first.problem,
                               "comparisons", variants[comparison.variant].name);
                continue;
            }
            EvaluationItem & item = slice.items[comparison.item];
            const Choice one = choice_of(base_first);
            const Choice two = choice_of(base_second);
            const bool won = one == Choice::second && two == Choice::first;
            const bool lost = one == Choice::first && two == Choice::second;
            set_win(item, comparison.variant, won ? 100 : lost ? 0 : 50);
            item.scores[inconsistent][comparison.variant] = won || lost ? 0 : 100;
            item.scores[first_chosen][comparison.variant] =
                50 * ((one == Choice::first ? 1 : 0) + (two == Choice::first ? 1 : 0));
            item.scores[mass][comparison.variant] = (base_first.mass + base_second.mass) / 2;
        }
        if (!judge_->offers_probabilities()) {
            for (EvaluationItem & item : slice.items) {
                item.scores.pop_back();
            }
        }
    }

    DilemmaOptions options_;
    ConceptSet concepts_;
    std::shared_ptr<Rater> judge_;
    DilemmaSet set_;
    RaterPrompt prompt_;
};

} // namespace

std::unique_ptr<EvaluationTask> dilemmas_task(const DilemmaOptions & options, const ConceptSet & concepts,
                                              std::shared_ptr<Rater> judge) {
    return std::make_unique<DilemmasTask>(options, concepts, std::move(judge));
}

} // namespace valuelens
