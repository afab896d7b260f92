#include "judge/server_judge.h"

#include <cmath>
#include <limits>
#include <numeric>

#include "base/fail.h"
#include "clients/answer_journal.h"
#include "judge/log_odds.h"

namespace valuelens {

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr int most_attempts = 3;

class ServerJudge : public Judge {
public:
    ServerJudge(std::unique_ptr<ChatService> service, const ConceptSet & concepts, ServerJudgeOptions options,
                ProgressSink & progress, const std::stop_token & stop)
        : service_(std::move(service)), concepts_(concepts), options_(std::move(options)),
          journal_(options_.kept_answers) {
        questions_.prompt = options_.prompt;
        questions_.answer_tokens = options_.answer_tokens;
        find_mode(progress, stop);
    }

    std::string describe() const override { return questions_.describe(service_->model()); }

    std::string estimate(const JudgeWork & work) const override {
        ServerCost cost;
        cost.requests = work.pairs + (questions_.calibrated() && baseline_.empty() ? concepts_.concepts.size() : 0);
        cost.prompt_tokens = cost.requests * tokens_without_text_ + guess_tokens(work.text_bytes);
        cost.completion_tokens =
            cost.requests * static_cast<std::uint64_t>(questions_.calibrated() ? 1 : options_.answer_tokens);
        return fmt::format("{} is asked: {}", service_->model(), describe_cost(cost, options_.prices));
    }

    std::vector<std::vector<double>> judge(std::span<const JudgeItem> items, ProgressSink & progress,
                                           std::stop_token stop) override {
        if (questions_.calibrated() && baseline_.empty()) {
            ask_about_nothing(progress, stop);
        }
        std::vector<std::vector<double>> odds = ask(items, journal_, progress, stop);
        for (std::size_t i = 0; i < items.size(); ++i) {
            for (std::size_t k = 0; k < items[i].values.size(); ++k) {
                const double base = questions_.calibrated() ? baseline_[items[i].values[k]] : 0;
                odds[i][k] = probability_of(odds[i][k] - base);
            }
        }
        return odds;
    }

private:
    struct Question {
        std::size_t item;
        std::size_t place; ///< among the item's values
    };

    void find_mode(ProgressSink & progress, const std::stop_token & stop) {
        std::vector<AnswerMode> modes;
        if (options_.answers != ServerAnswers::json) {
            modes.push_back(AnswerMode::logprobs);
        }
        if (options_.answers != ServerAnswers::logprobs) {
            modes.push_back(AnswerMode::json_schema);
            modes.push_back(AnswerMode::json);
        }
        std::string problem;
        for (const AnswerMode mode : modes) {
            questions_.mode = mode;
            const ChatRequest request = questions_.ask(concepts_.concepts.front(), "");
            tokens_without_text_ = guess_tokens(request.messages.front().content.size());
            const ChatOutcome outcome = service_->ask(request, stop);
            if (outcome.status != ChatStatus::answered) {
                problem = outcome.problem;
                continue;
            }
            tokens_without_text_ = outcome.reply.prompt_tokens.value_or(tokens_without_text_);
            // Asked for JSON in words, a model may fail once and still answer most of the time.
            if (questions_.log_odds(outcome.reply) || mode == AnswerMode::json) {
                if (options_.answers == ServerAnswers::automatic && mode != AnswerMode::logprobs) {
                    progress.message(LogLevel::info,
                                     fmt::format("judge: {} gives no probabilities of '{}' and '{}' as a first token, "
                                                 "so it is asked for JSON",
                                                 service_->model(), options_.prompt.yes, options_.prompt.no));
                }
                return;
            }
            problem = mode == AnswerMode::logprobs ? fmt::format("no first-token probabilities of '{}' or '{}'",
                                                                 options_.prompt.yes, options_.prompt.no)
                                                   : "no JSON answer";
        }
        fail(ErrorKind::judge, "the model {} cannot judge: it gave {}; try another judge.answers or model",
             service_->model(), problem);
    }

    void ask_about_nothing(ProgressSink & progress, const std::stop_token & stop) {
        JudgeItem nothing;
        nothing.values.resize(concepts_.concepts.size());
        std::iota(nothing.values.begin(), nothing.values.end(), std::size_t{0});
        class Quiet : public ProgressSink {
        public:
            explicit Quiet(ProgressSink & sink) : sink_(sink) {}
            void message(LogLevel level, std::string_view text) override { sink_.message(level, text); }

        private:
            ProgressSink & sink_;
        } quiet(progress);
        // A few questions, and the judge's own journal may hold answers about the texts that follow.
        AnswerJournal unkept;
        const std::vector<double> odds = ask(std::span(&nothing, 1), unkept, quiet, stop).front();
        for (std::size_t value = 0; value < odds.size(); ++value) {
            if (std::isnan(odds[value])) {
                fail(ErrorKind::judge,
                     "the model {} says neither '{}' nor '{}' about {} and an empty text, so its answers cannot be "
                     "calibrated; try judge.answers = \"json\"",
                     service_->model(), options_.prompt.yes, options_.prompt.no, concepts_.concepts[value].id);
            }
        }
        baseline_ = odds;
    }

    // Log-odds, NaN without an opinion.
    std::vector<std::vector<double>> ask(std::span<const JudgeItem> items, AnswerJournal & journal,
                                         ProgressSink & progress, const std::stop_token & stop) {
        std::vector<std::vector<double>> odds(items.size());
        std::vector<std::size_t> open(items.size());
        std::vector<Question> questions;
        for (std::size_t i = 0; i < items.size(); ++i) {
            odds[i].assign(items[i].values.size(), nan);
            open[i] = items[i].values.size();
            for (std::size_t k = 0; k < items[i].values.size(); ++k) {
                questions.push_back({i, k});
            }
        }
        std::size_t done = 0;
        std::size_t refused = 0;
        std::string why;
        for (int attempt = 0; !questions.empty(); ++attempt) {
            const bool last = attempt + 1 == most_attempts || questions_.calibrated();
            std::vector<ChatRequest> requests;
            for (const Question & question : questions) {
                requests.push_back(request_for(items[question.item], question.place, attempt));
            }
            if (attempt == 0) {
                journal.begin(*service_, requests);
            }
            std::vector<Question> unread;
            journal.ask_all(
                *service_, requests,
                [&](std::size_t index, ChatOutcome && outcome) {
                    const Question question = questions[index];
                    if (outcome.status == ChatStatus::answered) {
                        const std::optional<double> stated = questions_.log_odds(outcome.reply);
                        if (!stated && !last) {
                            unread.push_back(question);
                            return true; // what is asked next depends on it
                        }
                        odds[question.item][question.place] = stated.value_or(nan);
                        unreadable_ += stated ? 0 : 1;
                    } else {
                        ++refused;
                        why = outcome.problem;
                    }
                    if (--open[question.item] == 0) {
                        progress.advance(++done);
                    }
                    return true;
                },
                stop);
            questions = std::move(unread);
        }
        if (journal.reused() > 0) {
            progress.message(LogLevel::info, fmt::format("judge: {} answers of the server were kept from the last time "
                                                         "and are not asked for again",
                                                         journal.reused()));
        }
        report(progress, refused, why);
        return odds;
    }

    ChatRequest request_for(const JudgeItem & item, std::size_t place, int attempt) const {
        const Concept & wanted = concepts_.concepts[item.values[place]];
        return attempt == 0 ? questions_.ask(wanted, item.text)
                            : questions_.ask_again(wanted, item.text, attempt, options_.seed);
    }

    void report(ProgressSink & progress, std::size_t refused, const std::string & why) {
        if (refused > 0) {
            progress.message(LogLevel::warning, fmt::format("judge: no opinion on {} questions that the server would "
                                                            "not answer ({})",
                                                            refused, why));
        }
        if (unreadable_ > 0) {
            progress.message(LogLevel::warning,
                             fmt::format("judge: no opinion from {} answers that could not be read", unreadable_));
            unreadable_ = 0;
        }
    }

    std::unique_ptr<ChatService> service_;
    ConceptSet concepts_;
    ServerJudgeOptions options_;
    AnswerJournal journal_;
    ServerQuestions questions_;
    std::uint64_t tokens_without_text_ = 0; ///< of a question about an empty text
    std::size_t unreadable_ = 0;
    std::vector<double> baseline_; ///< [concept] log-odds for an empty text; empty: not asked yet
};

} // namespace

std::unique_ptr<Judge> make_server_judge(std::unique_ptr<ChatService> service, const ConceptSet & concepts,
                                         ServerJudgeOptions options, ProgressSink & progress, std::stop_token stop) {
    return std::make_unique<ServerJudge>(std::move(service), concepts, std::move(options), progress, stop);
}

} // namespace valuelens
