#include "evaluate/ratings.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "base/fail.h"
#include "evaluate/option_scores.h"
#include "evaluate/parse_answer.h"
#include "evaluate/question_scores.h"
#include "evaluate/summarize.h"

namespace valuelens {
namespace {

constexpr double dropped = std::numeric_limits<double>::quiet_NaN();
constexpr int answer_tokens = 24; ///< room for a letter and the longest label

/// The options in an order, with what each position scores.
struct Order {
    std::vector<std::string> labels;
    std::vector<double> points;
};

std::vector<Order> both_orders(const std::vector<std::string> & options) {
    Order forward{options, {}};
    for (std::size_t i = 0; i < options.size(); ++i) {
        forward.points.push_back(static_cast<double>(options.size() - i));
    }
    Order backward = forward;
    std::reverse(backward.labels.begin(), backward.labels.end());
    std::reverse(backward.points.begin(), backward.points.end());
    return {forward, backward};
}

} // namespace

const char * to_string(AnswerReading reading) {
    return reading == AnswerReading::greedy ? "greedy" : "logprobs";
}

Ratings rate(Respondent & respondent, const std::string & stage, std::size_t n_items, const AnswerScale & scale,
             const AskItem & ask_item, AnswerReading reading) {
    const std::vector<Order> orders = both_orders(scale.options);
    std::vector<std::string> prompts; // item by item; the respondent puts those that begin alike together
    for (std::size_t item = 0; item < n_items; ++item) {
        for (const QuestionFrame & frame : scale.frames) {
            for (const Order & order : orders) {
                prompts.push_back(ask_item(item, frame, lettered_options(order.labels)));
            }
        }
    }
    const std::size_t per_item = scale.frames.size() * orders.size();
    const std::size_t n_variants = respondent.variants().size();

    // By frame and order; a parsed frame stands in the place of its first order.
    std::vector<QuestionScores> ratings(n_items, {per_item, n_variants});
    std::vector<QuestionScores> masses = ratings;
    std::vector<bool> too_long(n_items, false);
    std::vector<std::vector<bool>> not_finite(n_items, std::vector<bool>(n_variants, false));
    Ratings result;
    result.unparsable.assign(n_variants, 0);
    result.unrated.assign(n_variants, 0);
    result.not_finite.assign(n_variants, 0);
    if (reading == AnswerReading::logprobs) {
        std::vector<std::string> letters;
        for (std::size_t i = 0; i < scale.options.size(); ++i) {
            letters.emplace_back(1, static_cast<char>('A' + i));
        }
        const std::vector<std::vector<double>> scored = respondent.score(stage, prompts, letters);
        for (std::size_t i = 0; i < scored.size(); ++i) {
            const std::size_t prompt = i / n_variants;
            const std::size_t item = prompt / per_item;
            if (scored[i].empty()) {
                too_long[item] = true;
                continue;
            }
            if (!all_finite(scored[i])) {
                not_finite[item][i % n_variants] = true;
                continue;
            }
            const OptionScores options = option_scores(scored[i]);
            ratings[item].set(prompt % per_item, i % n_variants,
                              expected_score(options.probabilities, orders[prompt % orders.size()].points));
            masses[item].set(prompt % per_item, i % n_variants, options.mass);
        }
    } else {
        const auto answers = respondent.answer(stage, prompts, answer_tokens);
        std::vector<std::optional<double>> points(answers.size());
        for (std::size_t i = 0; i < answers.size(); ++i) {
            const std::size_t prompt = i / n_variants;
            const std::size_t item = prompt / per_item;
            if (!answers[i]) {
                too_long[item] = true;
                continue;
            }
            const Order & order = orders[prompt % orders.size()];
            if (const auto option = parse_answer(*answers[i], order.labels)) {
                points[i] = order.points[*option];
            } else {
                ++result.unparsable[i % n_variants];
            }
        }
        // A frame counts where it was answered in both orders: a model that always says "A" has no opinion, and one of
        // its two answers alone would look like one.
        for (std::size_t first = 0; first < prompts.size(); first += orders.size()) {
            for (std::size_t variant = 0; variant < n_variants; ++variant) {
                const auto & forward = points[first * n_variants + variant];
                const auto & backward = points[(first + 1) * n_variants + variant];
                if (forward && backward) {
                    ratings[first / per_item].set(first % per_item, variant, (*forward + *backward) / 2);
                }
            }
        }
    }

    // An item that was not asked in all its ways would weigh the frames and orders unevenly.
    for (std::size_t item = 0; item < n_items; ++item) {
        std::vector<double> & rating = result.rating.emplace_back(ratings[item].means());
        std::vector<double> & mass = result.mass.emplace_back(masses[item].means());
        const bool parsed = reading == AnswerReading::greedy && !too_long[item];
        result.shared.push_back(parsed ? ratings[item].shared() : std::vector<SharedScore>());
        for (std::size_t variant = 0; variant < n_variants; ++variant) {
            const bool broken = !too_long[item] && not_finite[item][variant];
            result.not_finite[variant] += broken ? 1 : 0;
            result.unrated[variant] += !too_long[item] && !broken && std::isnan(rating[variant]) ? 1 : 0;
            if (too_long[item] || broken) {
                rating[variant] = mass[variant] = dropped;
            }
        }
        result.too_long += too_long[item] ? 1 : 0;
    }
    return result;
}

void note_ratings(Evaluation & evaluation, const Ratings & ratings, const AnswerScale & scale, AnswerReading reading) {
    evaluation.settings.emplace_back("parse", to_string(reading));
    evaluation.settings.emplace_back("frames", fmt::format("{}", scale.frames.size()));
    evaluation.settings.emplace_back("option_orders", "2");
    note_drop(evaluation, "too_long", "items", ratings.too_long);
    for (std::size_t variant = 0; variant < evaluation.variants.size(); ++variant) {
        note_drop(evaluation, "unparsable", "answers", ratings.unparsable[variant], evaluation.variants[variant].name);
        note_drop(evaluation, "no_frame_parsed", "items", ratings.unrated[variant], evaluation.variants[variant].name);
        note_drop(evaluation, "not_finite", "items", ratings.not_finite[variant], evaluation.variants[variant].name);
    }
}

} // namespace valuelens
