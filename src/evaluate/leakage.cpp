#include <algorithm>
#include <utility>

#include "base/fail.h"
#include "evaluate/task.h"
#include "evaluate/value_effects.h"
#include "valuelens/rule_evaluations.h"

namespace valuelens {
namespace {

class LeakageTask : public EvaluationTask {
public:
    LeakageTask(const PvqOptions & options, const ConceptSet & concepts)
        : questionnaire_(pvq_task(options, concepts)), concepts_(concepts) {}

    std::string name() const override { return "leakage"; }

    Evaluation run(Respondent & respondent, const EvaluationOptions & options) const override {
        Evaluation steered;
        steered.variants = respondent.variants();
        if (value_variants(steered, concepts_).empty()) {
            fail(ErrorKind::usage,
                 "leakage: no variant is steered toward a value of the concept set {}; write {{value}} where --steer "
                 "or --scale-neurons name it: --steer axes.safetensors:{{value}}/shared",
                 concepts_.name);
        }
        Evaluation result = questionnaire_->run(respondent, options);
        result.name = name();
        const auto likeness = std::find(result.quantities.begin(), result.quantities.end(), "likeness");
        add_leakage(result, static_cast<std::size_t>(likeness - result.quantities.begin()), concepts_);
        return result;
    }

private:
    std::unique_ptr<EvaluationTask> questionnaire_;
    ConceptSet concepts_;
};

} // namespace

std::unique_ptr<EvaluationTask> leakage_task(const PvqOptions & options, const ConceptSet & concepts) {
    return std::make_unique<LeakageTask>(options, concepts);
}

} // namespace valuelens
