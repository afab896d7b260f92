#pragma once

#include <functional>
#include <string>
#include <vector>

#include "concepts/questionnaire.h"
#include "evaluate/respondent.h"

namespace valuelens {

/// Ratings of items on an answer scale: each item is asked with every frame and with the options in both orders, and
/// its rating is the mean over these. Of parsed answers, a frame counts where both orders could be parsed, and a
/// variant is compared with the base on the frames that count for both. The first option of the scale scores as many
/// points as there are options, the last one.
struct Ratings {
    std::vector<std::vector<double>> rating;      ///< [item][variant]; NaN: dropped
    std::vector<std::vector<SharedScore>> shared; ///< [item] as EvaluationItem::shared has it for the rating
    std::vector<std::vector<double>> mass;        ///< the same: probability that the answer is one of the options; NaN
                                                  ///< throughout for parsed answers
    std::size_t too_long = 0;                     ///< items dropped: a prompt does not fit the context
    std::vector<std::size_t> unparsable;          ///< [variant] answers that name no option
    std::vector<std::size_t> unrated;             ///< [variant] items dropped: no frame was answered in both orders
    std::vector<std::size_t> not_finite;          ///< [variant] items dropped: the model's logits are not numbers
};

/// The prompt for an item in a frame, with the options as lettered_options() gives them.
using AskItem = std::function<std::string(std::size_t item, const QuestionFrame & frame, const std::string & options)>;

Ratings rate(Respondent & respondent, const std::string & stage, std::size_t n_items, const AnswerScale & scale,
             const AskItem & ask_item, AnswerReading reading);

/// The settings and drops of ratings, for a result.
void note_ratings(Evaluation & evaluation, const Ratings & ratings, const AnswerScale & scale, AnswerReading reading);

const char * to_string(AnswerReading reading);

} // namespace valuelens
