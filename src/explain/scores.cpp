#include "explain/scores.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "base/fail.h"
#include "base/random.h"
#include "math/auroc.h"
#include "math/bootstrap.h"

namespace valuelens {

const char * to_string(ScoreKind kind) {
    switch (kind) {
    case ScoreKind::detection:
        return "detection";
    case ScoreKind::fuzzing:
        return "fuzzing";
    case ScoreKind::simulation:
        return "simulation";
    }
    return "detection";
}

std::vector<ScoreQuestion> detection_questions(const HeldOut & held_out) {
    std::vector<ScoreQuestion> questions;
    for (const ReadableExcerpt & excerpt : held_out.top) {
        questions.push_back({true, questions.size(), plain_text(excerpt)});
    }
    for (const ReadableExcerpt & excerpt : held_out.random) {
        questions.push_back({false, questions.size(), plain_text(excerpt)});
    }
    return questions;
}

std::vector<ScoreQuestion> fuzzing_questions(const HeldOut & held_out, Pole pole) {
    std::vector<ScoreQuestion> questions;
    Rng rng(held_out.seed);
    for (std::size_t e = 0; e < held_out.top.size(); ++e) {
        const ReadableExcerpt & excerpt = held_out.top[e];
        const std::vector<std::uint8_t> right = strong_tokens(excerpt, pole);
        const auto n_marks = static_cast<std::size_t>(std::count(right.begin(), right.end(), 1));
        const std::size_t n_seen = right.size() - std::min(right.size(), excerpt.first_seen);
        if (n_marks == 0 || 2 * n_marks > n_seen) {
            continue;
        }
        std::vector<std::size_t> weakest(n_seen); // how active the others are is not known
        std::iota(weakest.begin(), weakest.end(), excerpt.first_seen);
        rng.shuffle(weakest); // equally weak ones in any order, not from the beginning of the text
        // A token that belongs to the opposite pole is as inactive here as one that does nothing: it comes no sooner.
        const auto strength = [&](std::size_t t) {
            return std::max(0.0f, towards(pole, excerpt.activations[t]));
        };
        std::stable_sort(weakest.begin(), weakest.end(),
                         [&](std::size_t a, std::size_t b) { return strength(a) < strength(b); });
        weakest.resize(std::max(n_marks, n_seen / 4));
        rng.shuffle(weakest);
        std::vector<std::uint8_t> wrong(right.size(), 0);
        for (std::size_t k = 0; k < n_marks; ++k) {
            wrong[weakest[k]] = 1;
        }
        questions.push_back({true, e, marked_text(excerpt, right)});
        questions.push_back({false, e, marked_text(excerpt, wrong)});
    }
    return questions;
}

std::vector<std::string> score_prompts(const ExplainPrompts & prompts, ScoreKind kind, const std::string & explanation,
                                       std::span<const ScoreQuestion> questions) {
    const std::string & form = kind == ScoreKind::fuzzing ? prompts.fuzzing : prompts.detection;
    std::vector<std::string> filled;
    for (const ScoreQuestion & question : questions) {
        filled.push_back(fill_question(form, explanation, question.text));
    }
    return filled;
}

Estimate auroc_of_answers(std::span<const ScoreQuestion> questions, std::span<const AskerAnswer> answers,
                          const ExplainOptions & options, std::uint64_t seed, std::string & problem) {
    std::vector<double> scores;
    std::vector<std::uint8_t> positive;
    std::vector<std::size_t> groups;
    std::map<std::size_t, std::size_t> places; // of a group among those in use
    for (std::size_t i = 0; i < questions.size(); ++i) {
        if (answers[i].number) {
            scores.push_back(*answers[i].number);
            positive.push_back(questions[i].positive ? 1 : 0);
            groups.push_back(places.try_emplace(questions[i].group, places.size()).first->second);
        }
    }
    const auto n_positive = static_cast<std::size_t>(std::count(positive.begin(), positive.end(), 1));
    if (std::min(n_positive, positive.size() - n_positive) < least_questions) {
        const auto failed = std::find_if(answers.begin(), answers.end(),
                                         [](const AskerAnswer & answer) { return !answer.problem.empty(); });
        problem = failed != answers.end()
                      ? failed->problem
                      : fmt::format("fewer than {} excerpts of either kind are held out", least_questions);
        return {};
    }
    const Auroc area(scores, positive);
    Estimate estimate;
    estimate.value = area.value();
    std::vector<double> resampled;
    std::vector<std::uint32_t> weights(scores.size());
    for (std::size_t b = 0; b < options.bootstraps; ++b) {
        const std::vector<std::uint32_t> drawn = bootstrap_weights(places.size(), b, seed);
        for (std::size_t i = 0; i < groups.size(); ++i) {
            weights[i] = drawn[groups[i]];
        }
        resampled.push_back(area.value(weights));
    }
    if (!resampled.empty()) {
        const Interval interval = percentile_interval(resampled, options.confidence);
        estimate.low = interval.low;
        estimate.high = interval.high;
    }
    return estimate;
}

} // namespace valuelens
