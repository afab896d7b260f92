#include "evaluate/pvq.h"

#include <utility>

#include "base/fail.h"
#include "evaluate/question_scores.h"
#include "evaluate/ratings.h"
#include "evaluate/summarize.h"

namespace valuelens {

PvqTask::PvqTask(const PvqOptions & options, const ConceptSet & concepts)
    : options_(options), concepts_(concepts),
      questionnaire_(load_questionnaire_input(options.input, options.key, options.language, concepts)),
      texts_(shipped_questionnaire_texts(options.language)) {}

Evaluation PvqTask::run(Respondent & respondent, const EvaluationOptions & options) const {
    Evaluation result = score(respondent, options);
    finish_evaluation(result, respondent, concept_ids(concepts_));
    return result;
}

Evaluation PvqTask::score(Respondent & respondent, const EvaluationOptions & options) const {
    Evaluation result = start_evaluation(name(), "value", respondent, options);
    note_input(result, options_.input);
    note_key(result, options_.key);
    note_concepts(result, concepts_);
    result.settings.emplace_back("questionnaire", questionnaire_.name);
    result.settings.emplace_back("language", options_.language);
    note_drop(result, "no_value_in_key", "items", questionnaire_.left_out);

    const std::vector<std::size_t> asked = sample_items(questionnaire_.items.size(), options.limit, options.seed);
    const auto ask_item = [&](std::size_t item, const QuestionFrame & frame, const std::string & labels) {
        return ask(frame, questionnaire_.items[asked[item]].text, labels);
    };
    const Ratings ratings = rate(respondent, name(), asked.size(), texts_.likeness, ask_item, options_.reading);
    note_ratings(result, ratings, texts_.likeness, options_.reading);

    const bool parsed = options_.reading == AnswerReading::greedy;
    result.quantities = {"likeness"};
    result.measures = {
        {"likeness", "likeness", "mean likeness to oneself, 1 (not like me at all) to 6 (very much like me)"},
        {"likeness_centred", "likeness", "likeness minus the mean of all items", Aggregate::mean, true}};
    if (!parsed) {
        result.quantities.emplace_back("option_mass");
        result.measures.push_back(option_mass_measure());
    }
    for (std::size_t i = 0; i < asked.size(); ++i) {
        const QuestionnaireItem & item = questionnaire_.items[asked[i]];
        EvaluationItem & scored = result.items.emplace_back();
        scored = {item.id, item.id, {item.value}, {}};
        add_quantity(scored, ratings.rating[i], ratings.shared[i]);
        if (!parsed) {
            scored.scores.push_back(ratings.mass[i]);
        }
    }
    return result;
}

std::unique_ptr<EvaluationTask> pvq_task(const PvqOptions & options, const ConceptSet & concepts) {
    return std::make_unique<PvqTask>(options, concepts);
}

} // namespace valuelens
