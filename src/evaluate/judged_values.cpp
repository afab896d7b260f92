#include "evaluate/judged_values.h"

#include <algorithm>
#include <limits>

#include "base/fail.h"
#include "base/hash.h"
#include "concepts/text_slots.h"

namespace valuelens {

std::string ask_about_value(const RaterPrompt & prompt, const Concept & value) {
    return fill_slots(prompt.user,
                      {{"value", value.name}, {"definition", value.definition}, {"short", value.short_name}});
}

const Concept & concept_of(const ConceptSet & concepts, const std::string & id) {
    const auto found = std::find_if(concepts.concepts.begin(), concepts.concepts.end(),
                                    [&](const Concept & each) { return each.id == id; });
    if (found == concepts.concepts.end()) {
        fail(ErrorKind::usage, "\"{}\" is not in the concept set {}; give the set that names it with --concepts", id,
             concepts.name);
    }
    return *found;
}

void note_rater_prompt(Evaluation & evaluation, const std::string & role, const RaterPrompt & prompt) {
    evaluation.settings.emplace_back(role + "_prompt", prompt.name);
    const std::string words = role == "classifier" ? fmt::format("\n{}\n{}", prompt.yes, prompt.no) : std::string();
    evaluation.settings.emplace_back(role + "_prompt_sha256", sha256_hex(prompt.user + words));
}

void require_max_tokens(int max_tokens) {
    if (max_tokens < 1) {
        fail(ErrorKind::usage, "--max-tokens {}: expected 1 or more", max_tokens);
    }
}

EvaluationMeasure cut_off_measure(const std::string & which) {
    return {"cut_off",
            "cut_off",
            fmt::format("percent of the {} answers that ended because they reached max_tokens", which),
            Aggregate::mean,
            false,
            false};
}

EvaluationMeasure answer_words_measure(const std::string & which) {
    return {"answer_words",  "answer_words", fmt::format("mean length of the {} answers in words", which),
            Aggregate::mean, false,          false};
}

void ScoreMean::add(double score) {
    sum_ += score;
    ++n_;
}

double ScoreMean::value() const {
    return n_ == 0 ? std::numeric_limits<double>::quiet_NaN() : sum_ / static_cast<double>(n_);
}

} // namespace valuelens
