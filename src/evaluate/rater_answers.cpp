#include "evaluate/rater_answers.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/text.h"
#include "clients/answer_text.h"
#include "concepts/dictionary.h"

namespace valuelens {
namespace {

bool begins(const std::vector<Token> & begin, const std::vector<Token> & whole) {
    return begin.size() < whole.size() && std::equal(begin.begin(), begin.end(), whole.begin());
}

std::string plain(std::string_view text) {
    return lower_latin1(std::string(trimmed(text)));
}

/// The longest answer that a text begins with.
std::optional<std::size_t> leading_answer(const std::string & text, std::span<const std::string> answers) {
    std::optional<std::size_t> longest;
    for (std::size_t i = 0; i < answers.size(); ++i) {
        if (text.starts_with(plain(answers[i])) && (!longest || answers[i].size() > answers[*longest].size())) {
            longest = i;
        }
    }
    return longest;
}

std::size_t distance(std::size_t a, std::size_t b) {
    return a < b ? b - a : a - b;
}

} // namespace

std::vector<AnswerTokens> answer_tokens(const Model & model, std::span<const std::string> answers) {
    std::vector<AnswerTokens> ways;
    for (std::size_t i = 0; i < answers.size(); ++i) {
        ways.push_back({i, model.tokenize(answers[i], false, false)});
    }
    const auto taken = [&](const std::vector<Token> & tokens) {
        return std::any_of(ways.begin(), ways.end(), [&](const AnswerTokens & way) { return way.tokens == tokens; });
    };
    for (std::size_t i = 0; i < answers.size(); ++i) {
        std::vector<Token> spaced = model.tokenize(" " + answers[i], false, false);
        if (ways[i].tokens.size() == 1 && spaced.size() == 1 && !taken(spaced)) {
            ways.push_back({i, std::move(spaced)});
        }
    }
    return ways;
}

std::vector<double> answer_probabilities(std::span<const AnswerTokens> ways, std::span<const double> logprobs,
                                         std::size_t n_answers) {
    std::vector<double> probabilities(n_answers, 0.0);
    for (std::size_t i = 0; i < ways.size(); ++i) {
        double probability = std::exp(logprobs[i]);
        for (std::size_t other = 0; other < ways.size(); ++other) {
            if (ways[other].answer != ways[i].answer && begins(ways[i].tokens, ways[other].tokens)) {
                probability -= std::exp(logprobs[other]);
            }
        }
        probabilities[ways[i].answer] += std::isnan(probability) ? probability : std::max(probability, 0.0);
    }
    return probabilities;
}

std::optional<std::vector<double>> first_token_probabilities(const std::vector<TokenTextLogprob> & tokens,
                                                             std::span<const std::string> answers,
                                                             const std::string & written) {
    std::vector<double> probabilities(answers.size(), 0.0);
    bool found = false;
    const std::optional<std::size_t> said = leading_answer(plain(written), answers);
    const auto offered = [&](const std::string & answer) {
        return std::any_of(tokens.begin(), tokens.end(),
                           [&](const TokenTextLogprob & each) { return plain(each.token) == plain(answer); });
    };
    for (const TokenTextLogprob & each : tokens) {
        const std::string token = plain(each.token);
        std::vector<std::size_t> meant;
        for (std::size_t i = 0; !token.empty() && i < answers.size(); ++i) {
            const bool longer_stands_alone = plain(answers[i]) != token && offered(answers[i]);
            if (plain(answers[i]).starts_with(token) && !longer_stands_alone) {
                meant.push_back(i);
            }
        }
        if (meant.empty() || (meant.size() > 1 && !said)) {
            continue; // a beginning of several tells nothing
        }
        const std::size_t answer = *std::min_element(meant.begin(), meant.end(), [&](std::size_t a, std::size_t b) {
            return meant.size() > 1 && distance(a, *said) < distance(b, *said);
        });
        probabilities[answer] += std::exp(each.logprob);
        found = found || probabilities[answer] > 0;
    }
    return found ? std::optional(probabilities) : std::nullopt;
}

std::optional<std::size_t> stated_answer(const std::string & content, std::span<const std::string> answers) {
    const std::optional<std::string_view> text = answer_text(content);
    if (!text) {
        return std::nullopt;
    }
    std::string said = plain(*text);
    const nlohmann::json json = nlohmann::json::parse(*text, nullptr, false);
    if (json.is_object()) {
        const auto answer = json.find("answer");
        if (json.size() != 1 || answer == json.end() || !(answer->is_string() || answer->is_number_integer())) {
            return std::nullopt;
        }
        said = plain(answer->is_string() ? answer->get<std::string>() : answer->dump());
    } else if (said.ends_with('.')) {
        said.pop_back();
    }
    for (std::size_t i = 0; i < answers.size(); ++i) {
        if (said == plain(answers[i])) {
            return i;
        }
    }
    return std::nullopt;
}

} // namespace valuelens
