#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "clients/service.h"
#include "valuelens/evaluation.h"
#include "valuelens/model.h"
#include "valuelens/request.h"

namespace valuelens {

/// What a role's setting with its server's address ends in ("judge_server"). A server may move: the same model at
/// another address is the same rater.
inline constexpr const char * server_setting = "_server";

/// Why a judge said nothing that counts.
enum class NoVerdict {
    none,
    unparsable, ///< an answer that is none of those offered, or logits that are no numbers
    rejected,   ///< the server would not answer this question
    too_long,   ///< the question does not fit the context
};

/// What a judge says to one question.
struct Verdict {
    std::vector<double> probabilities; ///< of each answer offered: sums to 1; empty: no verdict
    /// Probability that the judge answers with one of them at all; NaN where it states its answer.
    double mass = std::numeric_limits<double>::quiet_NaN();
    NoVerdict problem = NoVerdict::none;

    bool given() const { return !probabilities.empty(); }
};

/// Who judges generated texts: a model that is asked questions which say what answers there are.
///
/// Throws Error(judge) when a server fails for good, Error(interrupted) on a stop request.
class Rater {
public:
    virtual ~Rater() = default;

    /// One verdict for each question. `stage` names the work for the progress.
    virtual std::vector<Verdict> ask(const std::string & stage, std::span<const std::string> questions,
                                     std::span<const std::string> answers) = 0;

    /// Whether its verdicts are probabilities; else each is one stated answer.
    virtual bool offers_probabilities() const = 0;

    /// The model's name.
    virtual const std::string & model() const = 0;

    /// Puts into a result who judged and how, under the name of its part in it ("judge", "classifier").
    virtual void describe(Evaluation & evaluation, const std::string & role) const = 0;
};

/// A local chat model. An answer's probability is that of its text as the next words; of one that begins like another
/// ("1" and "10"), what remains without the longer one's. Throws Error(model) for a model without chat template.
std::unique_ptr<Rater> make_local_rater(std::shared_ptr<Model> model, const SchedulerOptions & scheduler,
                                        ProgressSink & progress, std::stop_token stop);

/// Which kind of answer a server is asked for.
enum class RaterAnswers {
    automatic, ///< probabilities of the first token where the server offers them, else JSON
    logprobs,
    json,
};

struct ServerRaterOptions {
    RaterAnswers answers = RaterAnswers::automatic;
    int answer_tokens = 64;     ///< longest JSON answer
    std::uint64_t seed = 0;     ///< of what is asked again
    std::string role = "judge"; ///< what messages call it
};

/// A model behind a server. One question is put at once, to find out what kind of answer it gives; Error(judge) where
/// it gives none that can be read. A JSON answer that cannot be read is asked for again, twice.
std::unique_ptr<Rater> make_server_rater(std::unique_ptr<ChatService> service, const ServerRaterOptions & options,
                                         ProgressSink & progress, std::stop_token stop);

/// "0" to "10".
const std::vector<std::string> & rating_answers();

/// The expected rating, 0 to 10; NaN without a verdict.
double expected_rating(const Verdict & verdict);

} // namespace valuelens
