#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/fail.h"
#include "evaluate/rater.h"

namespace valuelens::test {

/// A judge that is a function of the question; remembers what it was asked, and can break down.
class FakeRater : public Rater {
public:
    std::function<Verdict(const std::string & question, std::size_t n_answers)> on_ask;
    std::vector<std::string> questions;
    std::size_t breaks_at = SIZE_MAX; ///< call of ask() that throws
    std::size_t calls = 0;
    bool probabilities = true;
    std::string address;

    std::vector<Verdict> ask(const std::string &, std::span<const std::string> asked,
                             std::span<const std::string> answers) override {
        if (calls++ == breaks_at) {
            fail(ErrorKind::judge, "the judge is gone");
        }
        std::vector<Verdict> verdicts;
        for (const std::string & question : asked) {
            questions.push_back(question);
            verdicts.push_back(on_ask(question, answers.size()));
        }
        return verdicts;
    }

    bool offers_probabilities() const override { return probabilities; }
    const std::string & model() const override { return name_; }
    void describe(Evaluation & evaluation, const std::string & role) const override {
        evaluation.settings.emplace_back(role, name_);
        evaluation.settings.emplace_back(role + server_setting, address);
    }

private:
    std::string name_ = "fake judge";
};

/// All probability on one answer.
inline Verdict verdict_for(std::size_t answer, std::size_t n_answers, double mass = 0.5) {
    Verdict verdict;
    verdict.probabilities.assign(n_answers, 0.0);
    verdict.probabilities.at(answer) = 1;
    verdict.mass = mass;
    return verdict;
}

inline Verdict no_verdict(NoVerdict problem) {
    Verdict verdict;
    verdict.problem = problem;
    return verdict;
}

inline std::size_t dropped(const Evaluation & evaluation, const std::string & reason,
                           const std::string & variant = {}) {
    std::size_t count = 0;
    for (const EvaluationDrop & drop : evaluation.dropped) {
        if (drop.reason == reason && (variant.empty() || drop.variant == variant)) {
            count += drop.count;
        }
    }
    return count;
}

} // namespace valuelens::test
