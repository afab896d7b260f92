#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "valuelens/model.h"

namespace valuelens {

/// What a model thinks of the options of a question.
struct OptionScores {
    std::vector<double> probabilities; ///< softmax of the log-probabilities over the options: sums to 1
    double mass = 0;        ///< sum of the options' probabilities among all answers: how far the model answers at all
    std::size_t greedy = 0; ///< the likeliest option; the first of equals
};

/// Whether all can be scored. Those of a model whose activations overflowed are NaN, or -infinity where another token's
/// logit is infinite.
bool all_finite(std::span<const double> logprobs);

/// From the log-probabilities of the options (natural, under the model's full distribution), at least one. Where none
/// has any probability, they are equal.
OptionScores option_scores(std::span<const double> logprobs);

/// Sum of probability times score. Both have one entry per option.
double expected_score(std::span<const double> probabilities, std::span<const double> scores);

/// The tokens that stand for each option as the next token: the option written without and with a space before it, as
/// far as each is one token and no other option's. Nothing where some option has no such token: its whole text must
/// then be read.
std::optional<std::vector<std::vector<Token>>> option_tokens(const Model & model, std::span<const std::string> options);

/// The same from the tokens of each form: [form][option] its tokens.
std::optional<std::vector<std::vector<Token>>> option_tokens(const std::vector<std::vector<std::vector<Token>>> & forms,
                                                             std::size_t n_options);

/// log(sum(exp(values))), -infinity for none, NaN where one is NaN.
double log_sum(std::span<const double> values);

} // namespace valuelens
