#include <algorithm>
#include <cmath>
#include <limits>

#include "base/fail.h"
#include "base/hash.h"
#include "judge/judges.h"

namespace valuelens {
namespace {

class AskJudge : public Judge {
public:
    AskJudge(std::shared_ptr<Model> model, const SchedulerOptions & options, const ConceptSet & concepts,
             AskPrompt prompt)
        : model_(std::move(model)), scheduler_(model_, options), concepts_(concepts), prompt_(std::move(prompt)) {
        const auto first_token = [&](const std::string & word) {
            const std::vector<Token> tokens = model_->tokenize(word, false, false);
            if (tokens.empty()) {
                fail(ErrorKind::usage, "the judge's answer '{}' has no tokens", word);
            }
            return tokens.front();
        };
        model_->render_chat("", ""); // throws where the model has no chat template
        choices_ = {first_token(prompt_.yes), first_token(prompt_.no)};
        if (choices_[0] == choices_[1]) {
            fail(ErrorKind::model, "{}: '{}' and '{}' begin with the same token; choose other answers",
                 model_->info().name, prompt_.yes, prompt_.no);
        }
    }

    std::string describe() const override {
        return fmt::format("asked {} ({}) '{}'/'{}', calibrated, prompt {} ({})", model_->info().name,
                           model_->info().identity.substr(0, 12), prompt_.yes, prompt_.no, prompt_.name,
                           sha256_hex(prompt_.user).substr(0, 12));
    }

    std::string model_identity() const override { return model_->info().identity; }

    std::vector<std::vector<double>> judge(std::span<const JudgeItem> items, ProgressSink & progress,
                                           std::stop_token stop) override {
        if (baseline_.empty()) {
            JudgeItem nothing{"", "", {}};
            for (std::size_t value = 0; value < concepts_.concepts.size(); ++value) {
                nothing.values.push_back(value);
            }
            baseline_.assign(concepts_.concepts.size(), 0.0);
            baseline_ = ask(std::span(&nothing, 1), silent_progress(), stop).front();
        }
        std::vector<std::vector<double>> odds = ask(items, progress, stop);
        for (std::size_t i = 0; i < items.size(); ++i) {
            for (std::size_t k = 0; k < items[i].values.size(); ++k) {
                odds[i][k] = 1 / (1 + std::exp(baseline_[items[i].values[k]] - odds[i][k]));
            }
        }
        return odds;
    }

private:
    // Log-odds of yes against no.
    std::vector<std::vector<double>> ask(std::span<const JudgeItem> items, ProgressSink & progress,
                                         std::stop_token stop) {
        std::vector<Request> requests;
        std::vector<std::pair<std::size_t, std::size_t>> places;
        std::vector<std::vector<double>> odds(items.size());
        std::vector<std::size_t> open(items.size());
        for (std::size_t i = 0; i < items.size(); ++i) {
            odds[i].assign(items[i].values.size(), std::numeric_limits<double>::quiet_NaN());
            open[i] = items[i].values.size();
            for (std::size_t k = 0; k < items[i].values.size(); ++k) {
                const Concept & wanted = concepts_.concepts[items[i].values[k]];
                Request request;
                request.kind = RequestKind::choose;
                request.prompt = model_->render_chat("", fill_prompt(prompt_, wanted, items[i].text)).tokens;
                request.choices = choices_;
                requests.push_back(std::move(request));
                places.emplace_back(i, k);
            }
        }
        std::size_t done = 0;
        const SchedulerStats stats = scheduler_.run(
            requests,
            [&](std::size_t index, Response && response) {
                const auto [i, k] = places[index];
                if (response.finish != FinishReason::too_long) {
                    odds[i][k] = static_cast<double>(response.choice_logprobs[0]) - response.choice_logprobs[1];
                }
                if (--open[i] == 0) {
                    progress.advance(++done);
                }
            },
            progress, std::move(stop));
        progress.message(LogLevel::debug,
                         fmt::format("judge: {} of {} tokens of questions were read with a neighbour's",
                                     stats.shared_tokens, stats.prompt_tokens));
        return odds;
    }

    std::shared_ptr<Model> model_;
    Scheduler scheduler_;
    ConceptSet concepts_;
    AskPrompt prompt_;
    std::vector<Token> choices_;
    std::vector<double> baseline_; ///< [concept] log-odds for an empty text
};

} // namespace

std::unique_ptr<Judge> make_ask_judge(std::shared_ptr<Model> model, const SchedulerOptions & options,
                                      const ConceptSet & concepts, AskPrompt prompt) {
    return std::make_unique<AskJudge>(std::move(model), options, concepts, std::move(prompt));
}

} // namespace valuelens
