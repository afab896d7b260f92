#include "concepts/multiple_choice.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "base/fail.h"
#include "evaluate/multiple_choice_prompt.h"
#include "evaluate/option_scores.h"
#include "evaluate/summarize.h"
#include "evaluate/task.h"

namespace valuelens {
namespace {

class MultipleChoiceTask : public EvaluationTask {
public:
    explicit MultipleChoiceTask(const MultipleChoiceOptions & options)
        : options_(options),
          set_(options.input.empty() ? shipped_multiple_choice() : load_multiple_choice(options.input)) {
        if (options.shots < 0) {
            fail(ErrorKind::usage, "--shots {}: expected 0 or more", options.shots);
        }
        for (const MultipleChoiceQuestion & question : set_.questions) {
            (question.example ? examples_ : questions_).push_back(question);
        }
        const std::string source = options.input.empty() ? "the shipped questions" : options.input.string();
        if (questions_.empty()) {
            fail(ErrorKind::bad_input, "{}: has examples alone and no question to score", source);
        }
        for (const MultipleChoiceQuestion & question : questions_) {
            const auto known = std::find(subjects_.begin(), subjects_.end(), question.subject);
            if (known == subjects_.end()) {
                subjects_.push_back(question.subject);
            }
        }
        // examples_for() falls back on all examples, so these must be enough.
        if (options.shots > 0 && examples_.size() < static_cast<std::size_t>(options.shots)) {
            fail(
                ErrorKind::usage,
                "--shots {}: there are {} solved examples in {}; of MMLU they are the files *_dev.csv: give the folder "
                "that holds test/ and dev/",
                options.shots, examples_.size(), source);
        }
    }

    std::string name() const override { return "multiple-choice"; }

    Evaluation run(Respondent & respondent, const EvaluationOptions & options) const override {
        Evaluation result = start_evaluation(name(), "subject", respondent, options);
        note_input(result, options_.input);
        result.settings.emplace_back("shots", fmt::format("{}", options_.shots));
        note_drop(result, "duplicate", "items", set_.duplicates);
        note_drop(result, "ambiguous", "items", set_.ambiguous);

        const std::vector<const MultipleChoiceQuestion *> asked = choose_questions(options);
        std::vector<std::string> prompts;
        for (const MultipleChoiceQuestion * question : asked) {
            const std::vector<MultipleChoiceQuestion> shown =
                examples_for(question->subject, examples_, static_cast<std::size_t>(options_.shots));
            prompts.push_back(multiple_choice_prompt(*question, shown));
        }
        const std::vector<std::string> letters = {"A", "B", "C", "D"};
        const std::vector<std::vector<double>> scored = respondent.score(name(), prompts, letters);

        result.quantities = {"accuracy", "answer_probability", "option_mass"};
        result.measures = {{"accuracy", "accuracy", "percent of questions whose right letter is the likeliest"},
                           {"answer_probability", "answer_probability",
                            "mean probability in percent of the right letter among the four"},
                           option_mass_measure()};
        const std::size_t n_variants = result.variants.size();
        std::size_t too_long = 0;
        std::vector<std::size_t> not_finite(n_variants, 0);
        for (std::size_t i = 0; i < asked.size(); ++i) {
            const MultipleChoiceQuestion & question = *asked[i];
            EvaluationItem & item = result.items.emplace_back();
            constexpr double dropped = std::numeric_limits<double>::quiet_NaN();
            item = {question.id, question.id, {question.subject}, {}};
            item.scores.assign(result.quantities.size(), std::vector<double>(n_variants, dropped));
            for (std::size_t variant = 0; variant < n_variants; ++variant) {
                const std::vector<double> & logprobs = scored[i * n_variants + variant];
                if (logprobs.empty()) {
                    too_long += variant == 0 ? 1 : 0;
                    continue;
                }
                if (!all_finite(logprobs)) {
                    ++not_finite[variant];
                    continue;
                }
                const OptionScores options_scored = option_scores(logprobs);
                const auto answer = static_cast<std::size_t>(question.answer);
                item.scores[0][variant] = options_scored.greedy == answer ? 100 : 0;
                item.scores[1][variant] = 100 * options_scored.probabilities[answer];
                item.scores[2][variant] = options_scored.mass;
            }
        }
        note_drop(result, "too_long", "items", too_long);
        for (std::size_t variant = 0; variant < n_variants; ++variant) {
            note_drop(result, "not_finite", "items", not_finite[variant], result.variants[variant].name);
        }
        finish_evaluation(result, respondent, subjects_);
        return result;
    }

private:
    /// The sample, subject by subject: neighbours that share their examples are decoded once.
    std::vector<const MultipleChoiceQuestion *> choose_questions(const EvaluationOptions & options) const {
        std::map<std::string, std::size_t> order;
        for (std::size_t i = 0; i < subjects_.size(); ++i) {
            order[subjects_[i]] = i;
        }
        std::vector<const MultipleChoiceQuestion *> asked;
        for (const std::size_t place : sample_items(questions_.size(), options.limit, options.seed)) {
            asked.push_back(&questions_[place]);
        }
        std::stable_sort(asked.begin(), asked.end(),
                         [&](const auto * a, const auto * b) { return order.at(a->subject) < order.at(b->subject); });
        return asked;
    }

    MultipleChoiceOptions options_;
    MultipleChoiceSet set_;
    std::vector<MultipleChoiceQuestion> questions_;
    std::vector<MultipleChoiceQuestion> examples_;
    std::vector<std::string> subjects_;
};

} // namespace

std::unique_ptr<EvaluationTask> multiple_choice_task(const MultipleChoiceOptions & options) {
    return std::make_unique<MultipleChoiceTask>(options);
}

} // namespace valuelens
