#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/fail.h"
#include "evaluate/rater.h"
#include "evaluate/rater_answers.h"

namespace valuelens {
namespace {

class LocalRater : public Rater {
public:
    LocalRater(std::shared_ptr<Model> model, const SchedulerOptions & scheduler, ProgressSink & progress,
               std::stop_token stop)
        : model_(std::move(model)), scheduler_(model_, scheduler), progress_(progress), stop_(std::move(stop)) {
        model_->render_chat("", ""); // throws where the model has no chat template
    }

    std::vector<Verdict> ask(const std::string & stage, std::span<const std::string> questions,
                             std::span<const std::string> answers) override {
        const std::vector<AnswerTokens> ways = answer_tokens(*model_, answers);
        std::vector<Token> next;              // answers of one token, all read at once
        std::vector<std::size_t> choice_ways; // the way of each of `next`
        std::vector<std::size_t> read_ways;   // ways that are read
        for (std::size_t way = 0; way < ways.size(); ++way) {
            const bool one = ways[way].tokens.size() == 1;
            (one ? choice_ways : read_ways).push_back(way);
            if (one) {
                next.push_back(ways[way].tokens.front());
            }
        }
        std::vector<Request> requests;
        std::vector<std::pair<std::size_t, std::size_t>> places; // question, way; ways.size(): all of `next`
        for (std::size_t question = 0; question < questions.size(); ++question) {
            const std::vector<Token> prompt = model_->render_chat("", questions[question]).tokens;
            if (!next.empty()) {
                Request & request = requests.emplace_back();
                request.kind = RequestKind::choose;
                request.prompt = prompt;
                request.choices = next;
                places.emplace_back(question, ways.size());
            }
            for (const std::size_t way : read_ways) {
                Request & request = requests.emplace_back();
                request.kind = RequestKind::continue_;
                request.prompt = prompt;
                request.response = ways[way].tokens;
                request.logprobs = true;
                places.emplace_back(question, way);
            }
        }

        std::vector<std::vector<double>> logprobs(questions.size(), std::vector<double>(ways.size()));
        std::vector<bool> too_long(questions.size(), false);
        std::size_t done = 0;
        progress_.start(stage, requests.size(), "prompts");
        scheduler_.run(
            requests,
            [&](std::size_t index, Response && response) {
                const auto [question, way] = places[index];
                if (response.finish == FinishReason::too_long) {
                    too_long[question] = true;
                } else if (way == ways.size()) {
                    for (std::size_t i = 0; i < choice_ways.size(); ++i) {
                        logprobs[question][choice_ways[i]] = response.choice_logprobs[i];
                    }
                } else {
                    logprobs[question][way] = std::accumulate(response.logprobs.begin(), response.logprobs.end(), 0.0);
                }
                progress_.advance(++done);
            },
            progress_, stop_);
        progress_.finish();

        std::vector<Verdict> verdicts;
        for (std::size_t question = 0; question < questions.size(); ++question) {
            verdicts.push_back(too_long[question]
                                   ? Verdict{{}, Verdict{}.mass, NoVerdict::too_long}
                                   : verdict_of(answer_probabilities(ways, logprobs[question], answers.size())));
        }
        return verdicts;
    }

    bool offers_probabilities() const override { return true; }

    const std::string & model() const override { return model_->info().name; }

    void describe(Evaluation & evaluation, const std::string & role) const override {
        evaluation.settings.emplace_back(role, model_->info().name);
        evaluation.settings.emplace_back(role + "_identity", model_->info().identity);
        evaluation.settings.emplace_back(role + "_answers", "logprobs");
    }

private:
    static Verdict verdict_of(std::vector<double> probabilities) {
        const double mass = std::accumulate(probabilities.begin(), probabilities.end(), 0.0);
        if (!(mass > 0)) {
            return {{}, Verdict{}.mass, NoVerdict::unparsable};
        }
        for (double & probability : probabilities) {
            probability /= mass;
        }
        return {std::move(probabilities), mass, NoVerdict::none};
    }

    std::shared_ptr<Model> model_;
    Scheduler scheduler_;
    ProgressSink & progress_;
    std::stop_token stop_;
};

} // namespace

std::unique_ptr<Rater> make_local_rater(std::shared_ptr<Model> model, const SchedulerOptions & scheduler,
                                        ProgressSink & progress, std::stop_token stop) {
    return std::make_unique<LocalRater>(std::move(model), scheduler, progress, std::move(stop));
}

const std::vector<std::string> & rating_answers() {
    static const std::vector<std::string> answers = [] {
        std::vector<std::string> numbers;
        for (int rating = 0; rating <= 10; ++rating) {
            numbers.push_back(fmt::format("{}", rating));
        }
        return numbers;
    }();
    return answers;
}

double expected_rating(const Verdict & verdict) {
    if (!verdict.given()) {
        return std::numeric_limits<double>::quiet_NaN();
    }
    double sum = 0;
    for (std::size_t rating = 0; rating < verdict.probabilities.size(); ++rating) {
        sum += static_cast<double>(rating) * verdict.probabilities[rating];
    }
    return sum;
}

} // namespace valuelens
