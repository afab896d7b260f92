#include "clients/answer_journal.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/file.h"
#include "judge/fake_service.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"

namespace valuelens {
namespace {

using test::answered;
using test::failed;
using test::FakeService;

ChatRequest question(const std::string & text) {
    ChatRequest request;
    request.messages = {{"user", text}};
    return request;
}

class AnswerJournalTest : public testing::Test {
protected:
    /// Asks for all of a unit in a process of its own, so to say. Returns the contents, "" where there is none.
    std::vector<std::string> ask(const std::vector<ChatRequest> & unit, const FakeService::Answer & answer) {
        asked.clear();
        FakeService service(answer, &asked);
        AnswerJournal journal(file);
        journal.begin(service, unit);
        std::vector<std::string> contents(unit.size());
        journal.ask_all(service, unit,
                        [&](std::size_t index, ChatOutcome && outcome) {
                            contents[index] = outcome.reply.content;
                            return outcome.reply.content != "useless";
                        },
                        {});
        reused = journal.reused();
        return contents;
    }

    TempFolder folder;
    std::filesystem::path file = folder / "answers.jsonl";
    std::vector<ChatRequest> asked;
    std::size_t reused = 0;
};

ChatOutcome echo(const ChatRequest & request) {
    ChatOutcome outcome = answered("re " + request.messages.back().content, {{"Yes", -0.25}, {"No", -1.5}});
    outcome.reply.reasoning = "hm";
    outcome.reply.completion_tokens = 3;
    return outcome;
}

ChatOutcome down(const ChatRequest &) {
    throw Error(ErrorKind::judge, "down");
}

TEST_F(AnswerJournalTest, AnswersBeforeAFailureAreNotAskedForAgain) {
    const std::vector<ChatRequest> unit = {question("a"), question("b"), question("c")};
    EXPECT_THROW(ask(unit,
                     [](const ChatRequest & request) {
                         return request.messages.back().content == "a" ? down(request) : echo(request);
                     }),
                 Error); // the fake asks the last first
    EXPECT_EQ(asked.size(), 3u);

    EXPECT_EQ(ask(unit, echo), (std::vector<std::string>{"re a", "re b", "re c"}));
    ASSERT_EQ(asked.size(), 1u);
    EXPECT_EQ(asked[0].messages.back().content, "a");
    EXPECT_EQ(reused, 2u);

    EXPECT_EQ(ask(unit, down), (std::vector<std::string>{"re a", "re b", "re c"}));
}

TEST_F(AnswerJournalTest, AHeldAnswerIsWhole) {
    const std::vector<ChatRequest> unit = {question("a")};
    ask(unit, echo);
    FakeService service(down);
    AnswerJournal journal(file);
    journal.begin(service, unit);
    ChatReply reply;
    journal.ask_all(service, unit,
                    [&](std::size_t, ChatOutcome && outcome) { return reply = std::move(outcome.reply), true; }, {});
    const ChatReply expected = echo(unit[0]).reply;
    EXPECT_EQ(reply.content, expected.content);
    EXPECT_EQ(reply.reasoning, expected.reasoning);
    EXPECT_EQ(reply.finish_reason, expected.finish_reason);
    EXPECT_EQ(reply.prompt_tokens, expected.prompt_tokens);
    EXPECT_EQ(reply.completion_tokens, expected.completion_tokens);
    ASSERT_EQ(reply.first_token.size(), 2u);
    EXPECT_EQ(reply.first_token[1].token, "No");
    EXPECT_EQ(reply.first_token[1].logprob, -1.5);
}

TEST_F(AnswerJournalTest, WhatIsOfNoUseIsAskedForAgain) {
    const std::vector<ChatRequest> unit = {question("a"), question("b")};
    ask(unit, [](const ChatRequest & request) {
        return request.messages.back().content == "a" ? answered("useless") : failed(ChatStatus::rejected, "too long");
    });
    EXPECT_EQ(ask(unit, echo), (std::vector<std::string>{"re a", "re b"}));
    EXPECT_EQ(asked.size(), 2u);
}

TEST_F(AnswerJournalTest, AnotherUnitStartsOver) {
    ask({question("a"), question("b")}, echo);
    ask({question("b"), question("c")}, echo);
    EXPECT_EQ(asked.size(), 2u);
    EXPECT_EQ(reused, 0u);
    ask({question("a"), question("b")}, echo);
    EXPECT_EQ(asked.size(), 2u);
}

TEST_F(AnswerJournalTest, AHalfWrittenLineIsAskedForAgain) {
    const std::vector<ChatRequest> unit = {question("a"), question("b")};
    ask(unit, echo);
    std::string text = read_file(file);
    std::ofstream(file, std::ios::trunc) << text.substr(0, text.size() - 30); // of "a", which came last
    EXPECT_EQ(ask(unit, echo), (std::vector<std::string>{"re a", "re b"}));
    EXPECT_EQ(asked.size(), 1u);
    EXPECT_EQ(ask(unit, down), (std::vector<std::string>{"re a", "re b"})); // the line after it is whole
}

TEST_F(AnswerJournalTest, AFileOfSomethingElseIsWrittenAnew) {
    std::ofstream(file) << "nonsense\n{\"request\": 1}\n";
    EXPECT_EQ(ask({question("a")}, echo), std::vector<std::string>{"re a"});
    EXPECT_EQ(ask({question("a")}, down), std::vector<std::string>{"re a"});
}

TEST_F(AnswerJournalTest, AFolderThatIsNotThereIsNamed) {
    file = folder / "nowhere" / "answers.jsonl";
    expect_error(ErrorKind::bad_input, {"nowhere"}, [&] { ask({question("a")}, echo); });
}

} // namespace
} // namespace valuelens
