#pragma once

#include <cmath>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "evaluate/respondent.h"

namespace valuelens::test {

/// A respondent made of functions of the prompt and the variant; counts what it was asked.
class FakeRespondent : public Respondent {
public:
    explicit FakeRespondent(std::vector<std::string> names = {"base", "steered"}) {
        for (std::string & name : names) {
            variants_.push_back({std::move(name), {}, {}, nullptr});
        }
    }

    /// Log-probabilities of the options; empty: the prompt does not fit.
    std::function<std::vector<double>(const std::string & prompt, std::size_t n_options, std::size_t variant)> on_score;
    /// Greedy answers, of write() too where it is set.
    std::function<std::optional<std::string>(const std::string & prompt, std::size_t variant)> on_answer;
    std::string threads = "1";
    bool cut_off = false; ///< whether write() says so of greedy answers
    std::function<PassageScore(const Passage & passage, std::size_t variant)> on_read;
    std::function<std::optional<WrittenAnswer>(const std::string & prompt, std::size_t variant, std::size_t sample)>
        on_write;
    std::function<std::vector<float>(const std::string & text)> on_embed;
    const EmbeddingModel * embedded_by = nullptr; ///< of the last embed()
    AnswerOptions answer_options;                 ///< of the last write()
    std::vector<std::string> prompts;             ///< of score(), answer() and write()
    std::vector<std::string> options;             ///< of the last score()

    const std::vector<EvaluationVariant> & variants() const override { return variants_; }

    std::vector<std::vector<double>> score(const std::string &, std::span<const std::string> asked,
                                           std::span<const std::string> labels) override {
        prompts.insert(prompts.end(), asked.begin(), asked.end());
        options.assign(labels.begin(), labels.end());
        return each<std::vector<double>>(asked, [&](const std::string & prompt, std::size_t variant) {
            return on_score(prompt, labels.size(), variant);
        });
    }

    std::vector<std::optional<std::string>> answer(const std::string &, std::span<const std::string> asked,
                                                   int) override {
        prompts.insert(prompts.end(), asked.begin(), asked.end());
        return each<std::optional<std::string>>(asked, on_answer);
    }

    std::vector<std::vector<WrittenAnswer>> write(const std::string &, std::span<const std::string> asked,
                                                  const AnswerOptions & how) override {
        prompts.insert(prompts.end(), asked.begin(), asked.end());
        answer_options = how;
        return each<std::vector<WrittenAnswer>>(asked, [&](const std::string & prompt, std::size_t variant) {
            std::vector<WrittenAnswer> answers;
            for (std::size_t sample = 0; sample < how.samples; ++sample) {
                if (how.temperature == 0 && on_answer) {
                    if (auto text = on_answer(prompt, variant)) {
                        answers.push_back({std::move(*text), 1, cut_off, {}});
                    }
                } else if (auto answer = on_write(prompt, variant, sample)) {
                    answers.push_back(std::move(*answer));
                }
            }
            return answers;
        });
    }

    std::vector<std::vector<float>> embed(const std::string &, std::span<const std::string> texts,
                                          const EmbeddingModel * by) override {
        embedded_by = by;
        std::vector<std::vector<float>> embeddings;
        for (const std::string & text : texts) {
            embeddings.push_back(on_embed(text));
        }
        return embeddings;
    }

    std::vector<PassageScore> read(const std::string &, std::span<const Passage> passages) override {
        return each<PassageScore>(passages, on_read);
    }

    void describe(Evaluation & evaluation) const override {
        evaluation.model_name = "fake";
        evaluation.model_identity = "0f";
        evaluation.settings.emplace_back("prompt", "bare");
        evaluation.settings.emplace_back("threads", threads);
    }

private:
    template <typename Result, typename Prompts, typename Function>
    std::vector<Result> each(const Prompts & asked, const Function & function) {
        std::vector<Result> results;
        for (const auto & prompt : asked) {
            for (std::size_t variant = 0; variant < variants_.size(); ++variant) {
                results.push_back(function(prompt, variant));
            }
        }
        return results;
    }

    std::vector<EvaluationVariant> variants_;
};

/// The place of the letter before a label in a prompt ("C. Somewhat like me" gives 2).
inline std::size_t letter_of(const std::string & prompt, const std::string & label) {
    const std::size_t at = prompt.find(". " + label + "\n");
    return static_cast<std::size_t>(prompt.at(at - 1) - 'A');
}

/// Log-probabilities with all mass on one option.
inline std::vector<double> sure_of(std::size_t option, std::size_t n_options) {
    std::vector<double> logprobs(n_options, -60.0);
    logprobs.at(option) = 0;
    return logprobs;
}

} // namespace valuelens::test
