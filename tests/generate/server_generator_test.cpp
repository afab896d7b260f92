#include "generate/server_generator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "generate/fake_generator.h"
#include "judge/fake_service.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"

namespace valuelens {
namespace {

using test::answered;
using test::failed;
using test::FakeService;
using testing::HasSubstr;

class Messages : public ProgressSink {
public:
    void message(LogLevel level, std::string_view text) override {
        if (level == LogLevel::warning) {
            warnings += std::string(text) + "\n";
        }
    }
    std::string warnings;
};

/// A local model of one token for each byte.
class LocalModel : public FakeGenerator {
public:
    explicit LocalModel(bool merges) : merges_(merges) {}
    RenderedPrompt render(const std::optional<std::string> & system, const std::string & user) const override {
        RenderedPrompt prompt = FakeGenerator::render(system, user);
        prompt.system_merged = merges_;
        return prompt;
    }

private:
    bool merges_;
};

class ServerGeneratorTest : public testing::Test {
protected:
    /// The server answers each chat as `answer` says, with the right number of prompt tokens unless it sets another.
    void open(FakeService::Answer answer, bool merges = false) {
        auto model = std::make_unique<LocalModel>(merges);
        local = model.get();
        ServerGeneratorOptions options;
        options.template_kwargs = R"({"tone": "dry"})";
        options.tokenize = [](std::string_view text) {
            return std::vector<Token>(text.begin(), text.end());
        };
        options.kept_answers = kept;
        const auto counted = [this, answer](const ChatRequest & request) {
            ChatOutcome outcome = answer(request);
            if (outcome.reply.prompt_tokens == 50u) { // as test::answered() leaves it
                const std::string system = request.messages.size() > 1 ? request.messages[0].content : "";
                outcome.reply.prompt_tokens = local->render(system, request.messages.back().content).tokens.size();
            }
            return outcome;
        };
        generator = make_server_generator(std::move(model), std::make_unique<FakeService>(counted, &asked), options);
    }

    std::vector<Generated> run(const std::vector<ChatPrompt> & chats) {
        std::vector<Request> requests;
        for (const ChatPrompt & chat : chats) {
            Request request;
            request.prompt = generator->render(chat.system, chat.user).tokens;
            request.max_tokens = 9;
            request.capture.resid_post = true;
            request.logprobs = true;
            request.sampling.temperature = 0.5f;
            request.sampling.seed = 7;
            requests.push_back(std::move(request));
        }
        done = 0;
        return generator->run(
            requests, chats, [&](const Response &) { ++done; }, messages, {}, stats);
    }

    std::filesystem::path kept;
    LocalModel * local = nullptr;
    std::unique_ptr<Generator> generator;
    std::vector<ChatRequest> asked;
    Messages messages;
    SchedulerStats stats;
    int done = 0;
};

TEST_F(ServerGeneratorTest, AnswersBeforeAFailureAreNotAskedForAgain) {
    const TempFolder folder;
    kept = folder / "answers.jsonl";
    const std::vector<ChatPrompt> chats = {{"", "a"}, {"", "b"}, {"", "c"}, {"", "d"}, {"", "e"}, {"", "f"}};
    open([](const ChatRequest & request) {
        if (request.messages.back().content == "c") { // the last: four are asked at first, and the fake goes backwards
            throw Error(ErrorKind::judge, "down");
        }
        return answered("re " + request.messages.back().content);
    });
    EXPECT_THROW(run(chats), Error);
    EXPECT_EQ(asked.size(), 6u);

    asked.clear();
    open([](const ChatRequest & request) { return answered("again " + request.messages.back().content); });
    const std::vector<Generated> results = run(chats);
    ASSERT_EQ(asked.size(), 1u);
    EXPECT_EQ(asked[0].messages.back().content, "c");
    const auto text = [&](std::size_t i) {
        return std::string(results[i].response.tokens.begin(), results[i].response.tokens.end());
    };
    EXPECT_EQ(text(1), "re b");
    EXPECT_EQ(text(2), "again c");
}

TEST_F(ServerGeneratorTest, AnswersToOtherPromptsAreNotKept) {
    const TempFolder folder;
    kept = folder / "answers.jsonl";
    open([](const ChatRequest &) {
        ChatOutcome outcome = answered("re");
        outcome.reply.prompt_tokens = 3;
        return outcome;
    });
    EXPECT_THROW(run({{"", "a"}, {"", "b"}}), Error);
    asked.clear();
    open([](const ChatRequest &) { return answered("re"); }); // the server has the right template now
    run({{"", "a"}, {"", "b"}});
    EXPECT_EQ(asked.size(), 2u);
}

TEST_F(ServerGeneratorTest, WhatTheServerWritesIsReadHere) {
    open([](const ChatRequest & request) {
        ChatOutcome outcome = answered("re " + request.messages.back().content);
        outcome.reply.finish_reason = request.messages.back().content == "b" ? "length" : "stop";
        return outcome;
    });
    const std::vector<Generated> results = run({{"", "a"}, {"sys", "b"}, {"", "c"}, {"", "d"}, {"", "e"}, {"", "f"}});
    ASSERT_EQ(results.size(), 6u);
    EXPECT_EQ(asked.size(), 6u);
    EXPECT_EQ(done, 6);
    for (std::size_t i = 0; i < results.size(); ++i) {
        EXPECT_EQ(results[i].dropped, "");
        const std::vector<Token> & tokens = results[i].response.tokens;
        EXPECT_EQ(std::string(tokens.begin(), tokens.end()), std::string("re ") + static_cast<char>('a' + i));
        EXPECT_EQ(results[i].response.finish, i == 1 ? FinishReason::length : FinishReason::end_of_turn);
        EXPECT_EQ(results[i].response.resid_post.size(), 6u);
    }
    EXPECT_EQ(stats.generated_tokens, 6u * 4);
    EXPECT_EQ(messages.warnings, "");
}

TEST_F(ServerGeneratorTest, NothingIsLeftToTheServersDefaults) {
    open([](const ChatRequest &) { return answered("x"); });
    run({{"", "a"}});
    ASSERT_EQ(asked.size(), 1u);
    const ChatRequest & sent = asked.front();
    ASSERT_EQ(sent.messages.size(), 2u);
    EXPECT_EQ(sent.messages[0].role, "system");
    EXPECT_EQ(sent.messages[0].content, "");
    EXPECT_EQ(sent.max_tokens, 9);
    EXPECT_EQ(sent.temperature, 0.5);
    EXPECT_EQ(sent.top_p, 1.0);
    EXPECT_EQ(sent.min_p, 0.0);
    EXPECT_EQ(sent.top_k, -1);
    EXPECT_EQ(sent.repetition_penalty, 1.0);
    EXPECT_EQ(sent.seed, 7u);
    EXPECT_EQ(nlohmann::json::parse(sent.template_kwargs),
              nlohmann::json({{"enable_thinking", false}, {"tone", "dry"}}));
}

TEST_F(ServerGeneratorTest, WithoutASystemRoleThereIsOneMessage) {
    open(
        [](const ChatRequest & request) {
            ChatOutcome outcome = answered("x");
            outcome.reply.prompt_tokens = request.messages.back().content == "s\n\na" ? 11 : 3; // of "<s>s<u>a<a>"
            return outcome;
        },
        true);
    run({{"s", "a"}});
    ASSERT_EQ(asked[0].messages.size(), 1u);
    EXPECT_EQ(asked[0].messages[0].role, "user");
    EXPECT_EQ(asked[0].messages[0].content, "s\n\na");
}

TEST_F(ServerGeneratorTest, AnotherNumberOfPromptTokensEndsItBeforeTheRest) {
    open([](const ChatRequest &) {
        ChatOutcome outcome = answered("x");
        outcome.reply.prompt_tokens = 3;
        return outcome;
    });
    const std::vector<ChatPrompt> many(40, {"", "a"});
    const std::string here = std::to_string(local->render("", "a").tokens.size());
    expect_error(ErrorKind::judge, {"fake-model", "3 there, " + here + " here", "chat_template"}, [&] { run(many); });
    EXPECT_EQ(asked.size(), 4u);
}

TEST_F(ServerGeneratorTest, AServerThatCountsNothingCannotBeChecked) {
    open([](const ChatRequest &) {
        ChatOutcome outcome = answered("x");
        outcome.reply.prompt_tokens = std::nullopt;
        return outcome;
    });
    expect_error(ErrorKind::judge, {"usage.prompt_tokens"}, [&] { run({{"", "a"}}); });
}

TEST_F(ServerGeneratorTest, WhatCannotBeUsedIsDroppedWithAReason) {
    open([](const ChatRequest & request) {
        const std::string & user = request.messages.back().content;
        ChatOutcome outcome = answered("fine");
        if (user == "more") {
            outcome.reply.prompt_tokens = 3;
        } else if (user == "refused") {
            return failed(ChatStatus::rejected, "HTTP 400: too long");
        } else if (user == "garbled") {
            return failed(ChatStatus::unusable, "no choices");
        } else if (user == "thinks") {
            outcome.reply.reasoning = "hm";
        } else if (user == "thinks aloud") {
            outcome.reply.content = "<think>hm</think>fine";
        } else if (user == "filtered") {
            outcome.reply.finish_reason = "content_filter";
        } else if (user == "mute") {
            outcome.reply.content = "";
        }
        return outcome;
    });
    run({{"", "a"}}); // checked with this one
    const std::vector<Generated> results = run({{"", "a"},
                                                {"", "more"},
                                                {"", "refused"},
                                                {"", "garbled"},
                                                {"", "thinks"},
                                                {"", "thinks aloud"},
                                                {"", "filtered"},
                                                {"", "mute"},
                                                {"", "b"}});
    EXPECT_EQ(done, 9);
    std::vector<std::string> reasons;
    for (const Generated & result : results) {
        reasons.push_back(result.dropped);
        EXPECT_EQ(result.response.resid_post.empty(), !result.dropped.empty());
    }
    EXPECT_THAT(reasons,
                testing::ElementsAre("", HasSubstr("another number of prompt tokens"), HasSubstr("rejected"),
                                     HasSubstr("could not be used"), HasSubstr("thought"), HasSubstr("thought"),
                                     HasSubstr("another reason"), "no response tokens", ""));
    EXPECT_THAT(messages.warnings, HasSubstr("1 responses dropped"));
    EXPECT_THAT(messages.warnings, HasSubstr("3 there"));
}

} // namespace
} // namespace valuelens
