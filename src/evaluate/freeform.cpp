#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/fail.h"
#include "base/hash.h"
#include "base/text.h"
#include "concepts/questionnaire.h"
#include "concepts/rater_prompts.h"
#include "concepts/text_slots.h"
#include "evaluate/judged_values.h"
#include "evaluate/question_scores.h"
#include "evaluate/questionnaire_input.h"
#include "evaluate/slices.h"
#include "evaluate/summarize.h"
#include "evaluate/task.h"
#include "evaluate/text.h"

namespace valuelens {
namespace {

using nlohmann::ordered_json;

class FreeformTask : public EvaluationTask {
public:
    FreeformTask(const FreeformOptions & options, const ConceptSet & concepts, std::shared_ptr<Rater> judge)
        : options_(options), concepts_(concepts), judge_(std::move(judge)),
          questionnaire_(load_questionnaire_input(options.input, options.key, options.language, concepts)),
          texts_(shipped_questionnaire_texts(options.language)),
          prompt_(load_rater_prompt(RaterQuestion::freeform, options.prompt)) {
        require_max_tokens(options.max_tokens);
    }

    std::string name() const override { return "freeform"; }

    Evaluation run(Respondent & respondent, const EvaluationOptions & options) const override {
        Evaluation result = start_evaluation(name(), "value", respondent, options);
        note_settings(result);
        note_drop(result, "no_value_in_key", "items", questionnaire_.left_out);
        result.quantities = {"rating", "cut_off", "answer_words"};
        result.measures = {
            {"rating", "rating",
             "mean judged importance of the value to who wrote the answers, 0 (none, or rejected) to 10"},
            {"rating_centred", "rating", "rating minus the mean of all items", Aggregate::mean, true},
            cut_off_measure("rated"),
            answer_words_measure("rated")};
        if (judge_->offers_probabilities()) {
            result.quantities.emplace_back("judge_mass");
            result.measures.push_back(mass_measure("judge"));
        }

        const std::vector<std::size_t> asked = sample_items(questionnaire_.items.size(), options.limit, options.seed);
        std::string work = prompt_.user;
        for (const std::size_t item : asked) {
            for (const QuestionFrame & frame : texts_.freeform) {
                work += ask(frame, questionnaire_.items[item].text);
            }
        }
        const auto describe = [&](Evaluation & evaluation) {
            respondent.describe(evaluation);
            judge_->describe(evaluation, "judge");
        };
        const std::size_t per_item = texts_.freeform.size() * result.variants.size();
        score_slices(result, options_.files, work, describe, asked.size(), items_per_slice(per_item),
                     [&](std::size_t first, std::size_t count) {
                         return score(respondent, std::span(asked).subspan(first, count));
                     });
        judge_->describe(result, "judge");
        require_verdicts(result, options_.files, "judge", {"rating"});
        finish_judged(result, respondent, concept_ids(concepts_));
        return result;
    }

private:
    /// An answer that is judged for a value.
    struct Question {
        std::size_t item; ///< place of the scored item in the slice
        std::size_t frame;
        std::size_t variant;
        bool cut_off;
        double words;
    };

    void note_settings(Evaluation & result) const {
        note_input(result, options_.input);
        note_key(result, options_.key);
        note_concepts(result, concepts_);
        result.settings.emplace_back("questionnaire", questionnaire_.name);
        result.settings.emplace_back("language", options_.language);
        result.settings.emplace_back("values", options_.every_value ? "all" : "own");
        result.settings.emplace_back("max_tokens", fmt::format("{}", options_.max_tokens));
        result.settings.emplace_back("frames", fmt::format("{}", texts_.freeform.size()));
        note_rater_prompt(result, "judge", prompt_);
    }

    std::vector<std::string> values_of(const QuestionnaireItem & item) const {
        return options_.every_value ? concept_ids(concepts_) : std::vector<std::string>{item.value};
    }

    SliceResult score(Respondent & respondent, std::span<const std::size_t> portraits) const {
        const std::size_t n_variants = respondent.variants().size();
        const std::size_t n_frames = texts_.freeform.size();
        std::vector<std::string> prompts;
        for (const std::size_t portrait : portraits) {
            for (const QuestionFrame & frame : texts_.freeform) {
                prompts.push_back(ask(frame, questionnaire_.items[portrait].text));
            }
        }
        const auto answers = respondent.write(name(), prompts, {.max_tokens = options_.max_tokens});

        SliceResult slice;
        std::vector<std::string> asked;
        std::vector<Question> questions;
        for (std::size_t i = 0; i < portraits.size(); ++i) {
            const QuestionnaireItem & portrait = questionnaire_.items[portraits[i]];
            const std::size_t begin = i * n_frames * n_variants;
            const auto first = answers.begin() + static_cast<std::ptrdiff_t>(begin);
            // A portrait that was not asked in all its ways would weigh the frames unevenly.
            if (!std::all_of(first, first + static_cast<std::ptrdiff_t>(n_frames * n_variants),
                             [](const auto & answer) { return !answer.empty(); })) {
                add_drop(slice.dropped, "too_long", "portraits", "");
                continue;
            }
            const std::size_t first_item = slice.items.size();
            const std::vector<std::string> values = values_of(portrait);
            for (const std::string & value : values) {
                slice.items.push_back(
                    {options_.every_value ? portrait.id + "/" + value : portrait.id, portrait.id, {value}, {}});
            }
            for (std::size_t k = 0; k < n_frames * n_variants; ++k) {
                const std::size_t frame = k / n_variants;
                const std::size_t variant = k % n_variants;
                const WrittenAnswer & written = answers[begin + k].front();
                const std::string & answer = written.text;
                const std::string & variant_name = respondent.variants()[variant].name;
                slice.completions.push_back(ordered_json({{"id", portrait.id},
                                                          {"frame", texts_.freeform[frame].id},
                                                          {"variant", variant_name},
                                                          {"text", answer}})
                                                .dump());
                if (is_blank(answer)) {
                    add_drop(slice.dropped, "empty", "answers", variant_name);
                    continue;
                }
                const auto words = static_cast<double>(words_of(answer).size());
                for (std::size_t v = 0; v < values.size(); ++v) {
                    questions.push_back({first_item + v, frame, variant, written.cut_off, words});
                    asked.push_back(fill_slots(ask_about_value(prompt_, concept_of(concepts_, values[v])),
                                               {{"question", prompts[i * n_frames + frame]}, {"answer", answer}}));
                }
            }
        }
        rate(slice, questions, asked, respondent.variants());
        return slice;
    }

    void rate(SliceResult & slice, const std::vector<Question> & questions, const std::vector<std::string> & asked,
              const std::vector<EvaluationVariant> & variants) const {
        const std::vector<Verdict> verdicts = judge_->ask("judge", asked, rating_answers());
        const std::size_t n_quantities = judge_->offers_probabilities() ? 4 : 3;
        // [item][quantity] All over the answers that have a verdict.
        std::vector<std::vector<QuestionScores>> scores(
            slice.items.size(), std::vector<QuestionScores>(n_quantities, {texts_.freeform.size(), variants.size()}));
        for (std::size_t i = 0; i < questions.size(); ++i) {
            const Question & question = questions[i];
            if (!verdicts[i].given()) {
                add_no_verdict(slice.dropped, verdicts[i].problem, "ratings", variants[question.variant].name);
                continue;
            }
            const std::array<double, 4> measured = {expected_rating(verdicts[i]), question.cut_off ? 100.0 : 0.0,
                                                    question.words, verdicts[i].mass};
            for (std::size_t quantity = 0; quantity < n_quantities; ++quantity) {
                scores[question.item][quantity].set(question.frame, question.variant, measured[quantity]);
            }
        }
        for (std::size_t item = 0; item < slice.items.size(); ++item) {
            for (const QuestionScores & quantity : scores[item]) {
                add_quantity(slice.items[item], quantity.means(), quantity.shared());
            }
        }
    }

    FreeformOptions options_;
    ConceptSet concepts_;
    std::shared_ptr<Rater> judge_;
    Questionnaire questionnaire_;
    QuestionnaireTexts texts_;
    RaterPrompt prompt_;
};

} // namespace

std::unique_ptr<EvaluationTask> freeform_task(const FreeformOptions & options, const ConceptSet & concepts,
                                              std::shared_ptr<Rater> judge) {
    return std::make_unique<FreeformTask>(options, concepts, std::move(judge));
}

} // namespace valuelens
