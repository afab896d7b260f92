#include "explain/local_chat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "support/temp_folder.h"
#include "support/tiny_language_model.h"

namespace valuelens {
namespace {

ChatRequest chat(const std::string & text) {
    ChatRequest request;
    request.messages = {{"user", text}};
    request.max_tokens = 1;
    request.top_logprobs = 5;
    return request;
}

class LocalChatTest : public testing::Test {
protected:
    std::vector<ChatOutcome> ask(std::vector<ChatRequest> requests, const SchedulerOptions & options = {}) const {
        const std::unique_ptr<ChatService> service = make_local_chat(model_, options);
        std::vector<ChatOutcome> outcomes(requests.size());
        service->ask_all(requests,
                         [&](std::size_t index, ChatOutcome && outcome) { outcomes[index] = std::move(outcome); }, {});
        return outcomes;
    }

    TempFolder folder_;
    std::shared_ptr<Model> model_ =
        Model::load({.path = test::TinyLanguageModel::dense().write(folder_ / "m.gguf"), .threads = 1});
};

TEST_F(LocalChatTest, GivesTheProbabilitiesOfTheFirstToken) {
    const ChatOutcome outcome = ask({chat("one")}).front();
    ASSERT_EQ(outcome.status, ChatStatus::answered);
    EXPECT_EQ(outcome.reply.model, model_->info().name);
    ASSERT_EQ(outcome.reply.first_token.size(), 5u);

    Request request;
    request.kind = RequestKind::choose;
    request.prompt = model_->render_messages(std::vector<ChatMessage>{{"user", "one"}}).tokens;
    for (Token token = 0; token < static_cast<Token>(test::TinyLanguageModel::n_vocab); ++token) {
        request.choices.push_back(token);
    }
    const std::vector<float> all = Scheduler(model_, {}).run_all(std::vector<Request>{request}).front().choice_logprobs;
    std::vector<float> sorted = all;
    std::sort(sorted.rbegin(), sorted.rend());
    for (std::size_t i = 0; i < 5; ++i) {
        EXPECT_NEAR(outcome.reply.first_token[i].logprob, static_cast<double>(sorted[i]), 1e-4);
    }
    const auto likeliest = static_cast<Token>(std::max_element(all.begin(), all.end()) - all.begin());
    EXPECT_EQ(outcome.reply.first_token.front().token, model_->token_bytes(likeliest));
}

TEST_F(LocalChatTest, AQuestionThatDoesNotFitTheContextIsRejectedAndTheOthersAreAnswered) {
    SchedulerOptions options;
    options.ctx_size = 32;
    const std::vector<ChatOutcome> outcomes = ask({chat("one"), chat(std::string(40, 'x')), chat("two")}, options);
    EXPECT_EQ(outcomes[0].status, ChatStatus::answered);
    EXPECT_EQ(outcomes[1].status, ChatStatus::rejected);
    EXPECT_THAT(outcomes[1].problem, testing::HasSubstr("too long for the context; raise --ctx-size"));
    EXPECT_EQ(outcomes[2].status, ChatStatus::answered);
}

} // namespace
} // namespace valuelens
