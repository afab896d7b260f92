#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "valuelens/embedding_model.h"
#include "valuelens/evaluation.h"

namespace valuelens {

/// A text as the reply to another.
struct Passage {
    std::string user;
    std::string reply;
};

/// How likely a passage's reply is.
struct PassageScore {
    double logprob = 0;     ///< natural log, of the whole reply
    std::size_t tokens = 0; ///< of the reply; 0: not read, it does not fit the context
};

/// How answers are drawn.
struct AnswerOptions {
    int max_tokens = 256;
    float temperature = 0;   ///< 0: greedy
    std::size_t samples = 1; ///< answers to each prompt
    std::uint64_t seed = 0;  ///< a prompt's answers have the same random numbers under all variants
    bool entropies = false;  ///< ask for WrittenAnswer::entropies
};

struct WrittenAnswer {
    std::string text;
    std::size_t tokens = 0;
    bool cut_off = false;         ///< it ended because of max_tokens
    std::vector<float> entropies; ///< where asked: in nats, of the distribution that each of its tokens was drawn from
};

/// Who answers an evaluation: a model, under each of the variants. Results stand in the order of the prompts, for each
/// prompt all variants: [prompt * variants + variant]. A prompt that does not fit the context has no result. `stage`
/// names the work for the progress.
///
/// All functions throw Error(interrupted) on a stop request.
class Respondent {
public:
    virtual ~Respondent() = default;

    virtual const std::vector<EvaluationVariant> & variants() const = 0;

    /// Natural-log probability of each of `options` as the answer; not finite where the model's logits are not. Empty:
    /// the prompt does not fit.
    virtual std::vector<std::vector<double>> score(const std::string & stage, std::span<const std::string> prompts,
                                                   std::span<const std::string> options) = 0;

    /// Greedy answers of at most `max_tokens`. Nothing: the prompt does not fit.
    virtual std::vector<std::optional<std::string>> answer(const std::string & stage,
                                                           std::span<const std::string> prompts, int max_tokens) = 0;

    /// Answers with what is known of them, `options.samples` to each prompt and variant. Empty: the prompt does not
    /// fit. What is drawn depends on the seed, the prompt and the place among the samples, not on neighbours; all
    /// variants draw with the same numbers.
    virtual std::vector<std::vector<WrittenAnswer>>
    write(const std::string & stage, std::span<const std::string> prompts, const AnswerOptions & options) = 0;

    /// For each text its vector by an embedding model or, where `by` is null, the mean over its tokens of the output of
    /// the middle block, read by the model as it is as a reply to an empty message: what a text is, whoever wrote it.
    /// Empty: the text has no tokens or does not fit.
    virtual std::vector<std::vector<float>> embed(const std::string & stage, std::span<const std::string> texts,
                                                  const EmbeddingModel * by) = 0;

    /// Log-probability of replies.
    virtual std::vector<PassageScore> read(const std::string & stage, std::span<const Passage> passages) = 0;

    /// Puts what the respondent knows of itself into a result: model, settings of how it was asked, notes.
    virtual void describe(Evaluation & evaluation) const = 0;
};

/// A model behind a scheduler. Each prompt is the user's turn under an explicit empty system message; a model without
/// chat template reads it as plain text (with a line break after it unless it ends in a colon). Prompts are scheduled
/// in fixed slices, each with all its variants.
std::unique_ptr<Respondent> make_model_respondent(std::shared_ptr<Model> model, const SchedulerOptions & scheduler,
                                                  std::vector<EvaluationVariant> variants, ProgressSink & progress,
                                                  std::stop_token stop);

} // namespace valuelens
