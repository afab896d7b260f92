#include "evaluate/option_scores.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

namespace valuelens {

double log_sum(std::span<const double> values) {
    const double none = -std::numeric_limits<double>::infinity();
    double top = none;
    for (const double value : values) {
        if (std::isnan(value)) {
            return value;
        }
        top = std::max(top, value);
    }
    if (top == none) {
        return none;
    }
    double sum = 0;
    for (const double value : values) {
        sum += std::exp(value - top);
    }
    return top + std::log(sum);
}

bool all_finite(std::span<const double> logprobs) {
    return std::all_of(logprobs.begin(), logprobs.end(), [](double x) { return std::isfinite(x); });
}

OptionScores option_scores(std::span<const double> logprobs) {
    OptionScores scores;
    const double total = log_sum(logprobs);
    scores.mass = std::exp(total);
    for (const double logprob : logprobs) {
        scores.probabilities.push_back(std::isinf(total) ? 1.0 / static_cast<double>(logprobs.size())
                                                         : std::exp(logprob - total));
    }
    scores.greedy = static_cast<std::size_t>(std::max_element(logprobs.begin(), logprobs.end()) - logprobs.begin());
    return scores;
}

double expected_score(std::span<const double> probabilities, std::span<const double> scores) {
    double sum = 0;
    for (std::size_t i = 0; i < probabilities.size(); ++i) {
        sum += probabilities[i] * scores[i];
    }
    return sum;
}

std::optional<std::vector<std::vector<Token>>> option_tokens(const std::vector<std::vector<std::vector<Token>>> & forms,
                                                             std::size_t n_options) {
    std::vector<std::vector<Token>> tokens(n_options);
    for (const auto & form : forms) {
        // A form serves all options or none, or some would be likelier for being written in more ways.
        std::set<Token> seen;
        bool usable = true;
        for (const std::vector<Token> & option : form) {
            usable = usable && option.size() == 1 && seen.insert(option.front()).second;
        }
        for (std::size_t i = 0; usable && i < n_options; ++i) {
            const Token token = form[i].front();
            for (std::size_t other = 0; other < n_options; ++other) {
                usable = usable && (other == i || std::find(tokens[other].begin(), tokens[other].end(), token) ==
                                                      tokens[other].end());
            }
        }
        for (std::size_t i = 0; usable && i < n_options; ++i) {
            const Token token = form[i].front();
            if (std::find(tokens[i].begin(), tokens[i].end(), token) == tokens[i].end()) {
                tokens[i].push_back(token);
            }
        }
    }
    if (n_options == 0 || tokens.front().empty()) {
        return std::nullopt;
    }
    return tokens;
}

std::optional<std::vector<std::vector<Token>>> option_tokens(const Model & model,
                                                             std::span<const std::string> options) {
    std::vector<std::vector<std::vector<Token>>> forms;
    for (const char * before : {"", " "}) {
        std::vector<std::vector<Token>> & form = forms.emplace_back();
        for (const std::string & option : options) {
            form.push_back(model.tokenize(before + option, false, false));
        }
    }
    return option_tokens(forms, options.size());
}

} // namespace valuelens
