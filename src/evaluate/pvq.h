#pragma once

#include "concepts/questionnaire.h"
#include "evaluate/questionnaire_input.h"
#include "evaluate/respondent.h"
#include "evaluate/task.h"

namespace valuelens {

/// The value questionnaire: likeness to portraits. cross-lingual asks several and sums them up together.
class PvqTask : public EvaluationTask {
public:
    /// Throws as load_questionnaire_input.
    PvqTask(const PvqOptions & options, const ConceptSet & concepts);

    std::string name() const override { return "pvq"; }
    Evaluation run(Respondent & respondent, const EvaluationOptions & options) const override;

    /// The items with their scores, quantities "likeness" and (unless answers are parsed) "option_mass", and the
    /// measures made of them; not summed up yet, and without what the respondent says of itself.
    Evaluation score(Respondent & respondent, const EvaluationOptions & options) const;

private:
    PvqOptions options_;
    ConceptSet concepts_;
    Questionnaire questionnaire_;
    QuestionnaireTexts texts_;
};

} // namespace valuelens
