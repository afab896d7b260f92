#include <algorithm>
#include <utility>

#include "base/fail.h"
#include "concepts/questionnaire.h"
#include "evaluate/ratings.h"
#include "evaluate/summarize.h"
#include "evaluate/task.h"

namespace valuelens {
namespace {

namespace fs = std::filesystem;

Questionnaire load(const PvqOptions & options, const std::vector<std::string> & values) {
    if (!options.key.empty()) {
        if (options.input.empty()) {
            fail(ErrorKind::usage,
                 "--key {}: the statements of published questionnaires are not shipped; give them with --input",
                 options.key);
        }
        const QuestionnaireKey key = fs::exists(options.key) ? load_questionnaire_key(options.key, values)
                                                             : shipped_questionnaire_key(options.key);
        return load_questionnaire(options.input, key);
    }
    if (options.input.empty()) {
        return shipped_portraits(options.language);
    }
    if (options.input.extension() != ".jsonl" && options.input.extension() != ".json") {
        fail(ErrorKind::usage,
             "--input {}: which statement belongs to which value? Give --key (pvq40, pvq-rr or a TOML file), or JSONL "
             "that names the values",
             options.input.string());
    }
    return load_portraits(options.input, options.language, values);
}

class PvqTask : public EvaluationTask {
public:
    PvqTask(const PvqOptions & options, const ConceptSet & concepts)
        : options_(options), values_(concept_ids(concepts)), questionnaire_(load(options, values_)),
          texts_(shipped_questionnaire_texts(options.language)) {
        for (const QuestionnaireItem & item : questionnaire_.items) {
            if (std::find(values_.begin(), values_.end(), item.value) == values_.end()) {
                fail(
                    ErrorKind::usage,
                    "the questionnaire {} measures \"{}\", which is not in the concept set {}; give statements for its "
                    "concepts with --input",
                    questionnaire_.name, item.value, concepts.name);
            }
        }
    }

    std::string name() const override { return "pvq"; }

    Evaluation run(Respondent & respondent, const EvaluationOptions & options) const override {
        Evaluation result = start_evaluation(name(), "value", respondent, options);
        note_input(result, options_.input);
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
            scored = {item.id, item.id, {item.value}, {ratings.rating[i]}};
            if (!parsed) {
                scored.scores.push_back(ratings.mass[i]);
            }
        }
        finish_evaluation(result, respondent, values_);
        return result;
    }

private:
    PvqOptions options_;
    std::vector<std::string> values_;
    Questionnaire questionnaire_;
    QuestionnaireTexts texts_;
};

} // namespace

std::unique_ptr<EvaluationTask> pvq_task(const PvqOptions & options, const ConceptSet & concepts) {
    return std::make_unique<PvqTask>(options, concepts);
}

} // namespace valuelens
