#include "explain/simulation.h"

#include <algorithm>
#include <cmath>

#include "base/fail.h"
#include "concepts/text_slots.h"
#include "engine/next_token_reader.h"
#include "math/bootstrap.h"
#include "math/correlation.h"

namespace valuelens {

namespace {

constexpr int highest_strength = 10;

class LocalSimulator : public Simulator {
public:
    LocalSimulator(std::shared_ptr<Model> model, const SchedulerOptions & options)
        : model_(std::move(model)), reader_(model_, options) {
        for (int strength = 0; strength <= highest_strength; ++strength) {
            const std::vector<Token> tokens = model_->tokenize(std::to_string(strength), false, false);
            if (tokens.size() == 1) {
                candidates_.push_back(tokens.front());
            } else if (strength < highest_strength) {
                fail(ErrorKind::model, "{}: does not write the digit {} as one token, so it cannot simulate",
                     model_->info().path, strength);
            } // tokenizers that write 10 as two tokens are given the scale 0-9
        }
    }

    std::vector<std::vector<double>> simulate(const std::string & explanation,
                                              std::span<const ReadableExcerpt> excerpts,
                                              std::stop_token stop) override {
        std::vector<std::vector<double>> strengths;
        for (const ReadableExcerpt & excerpt : excerpts) {
            std::vector<Token> tokens = prompt(explanation, excerpt);
            std::vector<std::size_t> places;
            for (const std::string & piece : excerpt.pieces) {
                append(tokens, on_one_line(piece) + "\t");
                places.push_back(tokens.size() - 1);
                append(tokens, "?\n");
            }
            std::vector<double> & row = strengths.emplace_back();
            for (const std::vector<float> & logprobs : reader_.read(tokens, places, candidates_, stop)) {
                row.push_back(expected(logprobs));
            }
        }
        return strengths;
    }

private:
    std::vector<Token> prompt(const std::string & explanation, const ReadableExcerpt & excerpt) const {
        const std::string most = std::to_string(candidates_.size() - 1);
        const std::string text =
            fill_slots(explain_prompts().simulation,
                       {{"explanation", explanation}, {"text", plain_text(excerpt)}, {"most", most}});
        return (model_->info().has_chat_template ? model_->render_messages(std::vector<ChatMessage>{{"user", text}})
                                                 : model_->render_plain(text + "\n"))
            .tokens;
    }

    void append(std::vector<Token> & tokens, const std::string & text) const {
        const std::vector<Token> more = model_->tokenize(text, false, false);
        tokens.insert(tokens.end(), more.begin(), more.end());
    }

    static double expected(std::span<const float> logprobs) {
        const double highest = static_cast<double>(*std::max_element(logprobs.begin(), logprobs.end()));
        double weight = 0;
        double sum = 0;
        for (std::size_t strength = 0; strength < logprobs.size(); ++strength) {
            const double p = std::exp(static_cast<double>(logprobs[strength]) - highest);
            weight += p;
            sum += p * static_cast<double>(strength);
        }
        return sum / weight;
    }

    std::shared_ptr<Model> model_;
    NextTokenReader reader_;
    std::vector<Token> candidates_; ///< place: the strength
};

} // namespace

std::unique_ptr<Simulator> make_local_simulator(std::shared_ptr<Model> model, const SchedulerOptions & options) {
    return std::make_unique<LocalSimulator>(std::move(model), options);
}

Estimate simulation_score(Simulator & simulator, const std::string & explanation, const HeldOut & held, Pole pole,
                          const ExplainOptions & options, std::uint64_t seed, const std::stop_token & stop,
                          std::string & problem) {
    std::vector<ReadableExcerpt> excerpts = held.top;
    excerpts.insert(excerpts.end(), held.random.begin(), held.random.end());
    if (std::min(held.top.size(), held.random.size()) < least_questions) {
        problem = fmt::format("fewer than {} excerpts of either kind are held out", least_questions);
        return {};
    }
    std::vector<std::vector<double>> simulated;
    try {
        simulated = simulator.simulate(explanation, excerpts, stop);
    } catch (const Error & error) {
        if (error.kind() != ErrorKind::model) {
            throw;
        }
        problem = error.what(); // of this pole: others may be shorter
        return {};
    }
    std::vector<std::vector<double>> real;
    for (const ReadableExcerpt & excerpt : excerpts) {
        std::vector<double> & row = real.emplace_back();
        for (const float activation : excerpt.activations) {
            row.push_back(std::max(0.0, static_cast<double>(towards(pole, activation))));
        }
    }
    const auto correlate = [&](std::span<const std::uint32_t> times) {
        std::vector<double> a;
        std::vector<double> b;
        for (std::size_t e = 0; e < excerpts.size(); ++e) {
            const auto first = static_cast<std::ptrdiff_t>(excerpts[e].first_seen);
            for (std::uint32_t k = 0; k < times[e]; ++k) {
                a.insert(a.end(), simulated[e].begin() + first, simulated[e].end());
                b.insert(b.end(), real[e].begin() + first, real[e].end());
            }
        }
        const double r = pearson(a, b);
        return std::isnan(r) ? 0.0 : r; // the same strength everywhere tells nothing
    };
    Estimate estimate;
    estimate.value = correlate(std::vector<std::uint32_t>(excerpts.size(), 1));
    std::vector<double> resampled;
    for (std::size_t b = 0; b < options.bootstraps; ++b) {
        resampled.push_back(correlate(bootstrap_weights(excerpts.size(), b, seed)));
    }
    if (!resampled.empty()) {
        const Interval interval = percentile_interval(resampled, options.confidence);
        estimate.low = interval.low;
        estimate.high = interval.high;
    }
    return estimate;
}

} // namespace valuelens
