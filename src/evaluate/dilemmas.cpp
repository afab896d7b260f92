#include "concepts/dilemmas.h"

#include <algorithm>
#include <array>
#include <cmath>
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
#include "evaluate/text.h"

namespace valuelens {
namespace {

using nlohmann::ordered_json;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// What a slice's item is scored for; the places in Evaluation::quantities.
enum Quantity : std::size_t { win, inconsistent, first_chosen, identical, cut_off, words, mass, n_quantities };

/// Which of two answers a judge prefers in one order; neither where both are as probable.
enum class Winner { base, other, neither };

Winner winner_of(const Verdict & verdict, bool base_first) {
    const double for_base = (base_first ? 1 : -1) * (verdict.probabilities[0] - verdict.probabilities[1]);
    return for_base > 0 ? Winner::base : for_base < 0 ? Winner::other : Winner::neither;
}

/// How much a verdict is for the first answer: 1, 0, or a half.
double for_first(Winner winner, bool base_first) {
    return winner == Winner::neither ? 0.5 : (winner == Winner::base) == base_first ? 1 : 0;
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
        note_concepts(result, concepts_);
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
        require_verdicts(result, options_.files, "judge", {"win"});
        finish_judged(result, respondent, concept_ids(concepts_));
        note_bias(result);
        return result;
    }

private:
    /// The two orders of one comparison: the base's answer first, then second.
    struct Comparison {
        std::size_t item; ///< place in the slice
        std::size_t variant;
        std::size_t question; ///< the first of two
        const WrittenAnswer * base_answer;
        const WrittenAnswer * answer;
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

    /// A judge that goes by the place decides little: its ties are its own, not the answers'.
    static void note_bias(Evaluation & result) {
        constexpr double by_place = 25; // away from half of the questions, in percent
        for (const EvaluationScore & score : result.find("first_chosen")->scores) {
            if (std::abs(score.estimate.value - 50) >= by_place) {
                result.notes.push_back(fmt::format("the judge chose the answer that stood first in {:.0f} % of the "
                                                   "questions (50 without a bias), so most comparisons are ties by its "
                                                   "habit; take another one",
                                                   score.estimate.value));
                return;
            }
        }
    }

    void name_measures(Evaluation & result) const {
        result.quantities = {"win",     "inconsistent", "first_chosen", "identical",
                             "cut_off", "answer_words", "judge_mass"};
        result.measures = {
            {"win_rate", "win",
             "percent of comparisons with the base that an answer wins on the value in both orders; one that neither "
             "wins in both is a tie and counts half, and the base has 50 by definition"},
            {"inconsistent", "inconsistent",
             "percent of the comparisons put to the judge whose verdict (one answer, the other, or neither) is not the "
             "same in both orders"},
            {"first_chosen", "first_chosen",
             "percent of questions in which the judge prefers the answer that stands first, half of those without a "
             "preference; 50 without a bias",
             Aggregate::mean, false, false},
            {"identical", "identical", "percent of comparisons between two equal texts, which are ties unasked",
             Aggregate::mean, false, false},
            cut_off_measure("compared"),
            answer_words_measure("compared")};
        if (judge_->offers_probabilities()) {
            result.measures.push_back(mass_measure("judge"));
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
        const auto answers = respondent.write(name(), prompts, {.max_tokens = options_.max_tokens});

        SliceResult slice;
        std::vector<std::string> questions;
        std::vector<Comparison> comparisons;
        for (std::size_t i = 0; i < places.size(); ++i) {
            const Dilemma & dilemma = set_.dilemmas[places[i]];
            const auto of_prompt = std::span(answers).subspan(i * n_variants, n_variants);
            if (std::any_of(of_prompt.begin(), of_prompt.end(), [](const auto & each) { return each.empty(); })) {
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
                const WrittenAnswer & base_answer = of_prompt.front().front();
                const WrittenAnswer & answer = of_prompt[variant].front();
                const std::string & base = base_answer.text;
                const std::string & other = answer.text;
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
                    const Comparison comparison = {first_item + v, variant, questions.size(), &base_answer, &answer};
                    slice.items[comparison.item].scores[identical][variant] = base == other ? 100 : 0;
                    if (base == other) {
                        set_win(slice, comparison, 50);
                        continue;
                    }
                    comparisons.push_back(comparison);
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

    /// The outcome of a comparison, and of both answers what belongs to those that are compared.
    static void set_win(SliceResult & slice, const Comparison & comparison, double percent) {
        std::vector<std::vector<double>> & scores = slice.items[comparison.item].scores;
        scores[win][comparison.variant] = percent;
        scores[win].front() = 50;
        for (const auto & [variant, answer] :
             {std::pair{std::size_t{0}, comparison.base_answer}, std::pair{comparison.variant, comparison.answer}}) {
            scores[cut_off][variant] = answer->cut_off ? 100 : 0;
            scores[words][variant] = static_cast<double>(words_of(answer->text).size());
        }
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
            const Winner one = winner_of(base_first, true);
            const Winner two = winner_of(base_second, false);
            const bool same = one == two;
            set_win(slice, comparison, same && one == Winner::other ? 100 : same && one == Winner::base ? 0 : 50);
            item.scores[inconsistent][comparison.variant] = same ? 0 : 100;
            item.scores[first_chosen][comparison.variant] = 50 * (for_first(one, true) + for_first(two, false));
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
