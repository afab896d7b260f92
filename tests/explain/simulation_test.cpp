#include "explain/simulation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "concepts/text_slots.h"
#include "support/temp_folder.h"
#include "support/tiny_language_model.h"

namespace valuelens {
namespace {

class LocalSimulatorTest : public testing::Test {
protected:
    void append(std::vector<Token> & tokens, const std::string & text) const {
        const std::vector<Token> more = model_->tokenize(text, false, false);
        tokens.insert(tokens.end(), more.begin(), more.end());
    }

    TempFolder folder_;
    std::shared_ptr<Model> model_ =
        Model::load({.path = test::TinyLanguageModel::dense().write(folder_ / "m.gguf"), .threads = 1});
    ReadableExcerpt excerpt_{{"ab", "\n", "7"}, {0.0f, 1.0f, 0.5f}, 1.0f};
};

// The tokenizer of bytes writes 10 as two tokens: the scale is 0-9. Each place is scored by itself here, by the
// scheduler, with what stands before it as its prompt.
TEST_F(LocalSimulatorTest, ExpectsWhatTheProbabilitiesOfTheDigitsSay) {
    const std::vector<std::vector<double>> found =
        make_local_simulator(model_, {})->simulate("letters", std::vector<ReadableExcerpt>{excerpt_}, {});
    ASSERT_EQ(found.size(), 1u);
    ASSERT_EQ(found[0].size(), 3u);

    const std::string question =
        fill_slots(explain_prompts().simulation, {{"explanation", "letters"}, {"text", "ab\\n7"}, {"most", "9"}});
    std::vector<Token> tokens = model_->render_messages(std::vector<ChatMessage>{{"user", question}}).tokens;
    std::vector<Request> requests;
    for (const char * line : {"ab\t", "\\n\t", "7\t"}) {
        append(tokens, line);
        Request & request = requests.emplace_back();
        request.kind = RequestKind::choose;
        request.prompt = tokens;
        for (char digit = '0'; digit <= '9'; ++digit) {
            request.choices.push_back(model_->tokenize(std::string(1, digit), false, false).front());
        }
        append(tokens, "?\n");
    }
    const std::vector<Response> responses = Scheduler(model_, {}).run_all(requests);
    for (std::size_t t = 0; t < 3; ++t) {
        double weight = 0;
        double sum = 0;
        for (std::size_t digit = 0; digit < 10; ++digit) {
            const double p = std::exp(static_cast<double>(responses[t].choice_logprobs[digit]));
            weight += p;
            sum += p * static_cast<double>(digit);
        }
        EXPECT_NEAR(found[0][t], sum / weight, 1e-3) << t;
    }
    EXPECT_NE(found[0][0], found[0][2]);
}

TEST_F(LocalSimulatorTest, AnExcerptThatDoesNotFitTheContextHasNoScoreAndAReason) {
    SchedulerOptions options;
    options.ctx_size = 64;
    const std::unique_ptr<Simulator> simulator = make_local_simulator(model_, options);
    HeldOut held;
    held.top.assign(least_questions, excerpt_);
    held.random.assign(least_questions, excerpt_);
    std::string problem;
    const Estimate score = simulation_score(*simulator, "letters", held, Pole::positive, {}, 1, {}, problem);
    EXPECT_TRUE(std::isnan(score.value));
    EXPECT_THAT(problem, testing::HasSubstr("does not fit the context; raise --ctx-size"));
}

class FixedSimulator : public Simulator {
public:
    std::vector<std::vector<double>> simulate(const std::string &, std::span<const ReadableExcerpt> excerpts,
                                              std::stop_token) override {
        return std::vector<std::vector<double>>(excerpts.size(), {10, 1, 2});
    }
};

TEST(SimulationScore, TokensWhoseActivationWasNotReadAreLeftOut) {
    FixedSimulator simulator;
    HeldOut held;
    held.top.assign(least_questions, {{"a", "b", "c"}, {0.0f, 1.0f, 2.0f}, 2.0f});
    held.random = held.top;
    const auto score = [&] {
        std::string problem;
        return simulation_score(simulator, "letters", held, Pole::positive, {}, 1, {}, problem).value;
    };
    EXPECT_LT(score(), 0) << "taken for a real 0";
    for (std::vector<ReadableExcerpt> * excerpts : {&held.top, &held.random}) {
        for (ReadableExcerpt & excerpt : *excerpts) {
            excerpt.first_seen = 1;
        }
    }
    EXPECT_NEAR(score(), 1, 1e-12);
}

} // namespace
} // namespace valuelens
