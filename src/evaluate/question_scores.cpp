#include "evaluate/question_scores.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "evaluate/judged_values.h"

namespace valuelens {
namespace {

constexpr double lost = std::numeric_limits<double>::quiet_NaN();

/// Whether both have questions, and not the same ones.
bool differ(const std::vector<double> & a, const std::vector<double> & b) {
    const auto has = [](double score) {
        return !std::isnan(score);
    };
    return std::any_of(a.begin(), a.end(), has) && std::any_of(b.begin(), b.end(), has) &&
           !std::equal(a.begin(), a.end(), b.begin(), [&](double x, double y) { return has(x) == has(y); });
}

/// Mean of the scores on the questions that `other` has as well.
double mean_where(const std::vector<double> & scores, const std::vector<double> & other) {
    ScoreMean mean;
    for (std::size_t question = 0; question < scores.size(); ++question) {
        if (!std::isnan(scores[question]) && !std::isnan(other[question])) {
            mean.add(scores[question]);
        }
    }
    return mean.value();
}

} // namespace

QuestionScores::QuestionScores(std::size_t n_questions, std::size_t n_variants)
    : scores_(n_variants, std::vector<double>(n_questions, lost)) {}

void QuestionScores::set(std::size_t question, std::size_t variant, double score) {
    scores_[variant][question] = score;
}

std::vector<double> QuestionScores::means() const {
    std::vector<double> means;
    for (const std::vector<double> & scores : scores_) {
        means.push_back(mean_where(scores, scores));
    }
    return means;
}

std::vector<SharedScore> QuestionScores::shared() const {
    const std::vector<double> & base = scores_.front();
    std::vector<SharedScore> shared;
    if (std::any_of(scores_.begin(), scores_.end(), [&](const auto & scores) { return differ(scores, base); })) {
        for (const std::vector<double> & scores : scores_) {
            shared.push_back({mean_where(scores, base), mean_where(base, scores)});
        }
    }
    return shared;
}

void add_quantity(EvaluationItem & item, std::vector<double> scores, std::vector<SharedScore> shared) {
    item.scores.push_back(std::move(scores));
    if (!shared.empty()) {
        item.shared.resize(item.scores.size());
        item.shared.back() = std::move(shared);
    }
}

} // namespace valuelens
