#include "explain/asker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "judge/fake_service.h"
#include "support/expect_error.h"
#include "valuelens/error.h"

namespace valuelens {
namespace {

using test::answered;
using test::failed;
using test::FakeService;
using testing::HasSubstr;

ChatReply said(const std::string & content) {
    return answered(content).reply;
}

TEST(ReadPhrase, TakesThePhraseOutOfWhatModelsPutAroundIt) {
    for (const char * content :
         {"words for cold weather", "\"words for cold weather\"", "Explanation: words for cold weather.",
          "**words for cold weather**", "\n words for cold weather\nThe excerpts all ...",
          "<think>\nhm\n</think>\nwords for cold weather",
          "words for cold weather. In the excerpts, the unit reacts to those that name snow, ice and frost.",
          "The phrase: \"words for cold weather\"", "Commonality: words for cold weather"}) {
        const AskerAnswer answer = read_phrase(said(content));
        EXPECT_EQ(answer.text, "words for cold weather") << content;
        EXPECT_EQ(answer.problem, "");
    }
}

TEST(ReadPhrase, AShortLineIsKeptWhole) {
    for (const char * content :
         {"references to the U.S. government", "references to the U.S.", "answers by Dr. Smith to J. Doe",
          "numbers, e.g. prices", "exclamations such as \"Stop! Thief\" in speech", "what? why? how? and so on",
          "a phrase. And another one"}) {
        EXPECT_EQ(read_phrase(said(content)).text, content);
    }
    EXPECT_EQ(read_phrase(said("references to the U.S. government.")).text, "references to the U.S. government");
}

TEST(ReadPhrase, ALongLineIsCutAfterASentenceAndNotAfterAnAbbreviation) {
    const std::string rest =
        " This is what all of the marked tokens in the excerpts above have in common with another.";
    for (const char * phrase : {"references to the U.S. government", "letters of Dr. King to J. Doe, etc. and so on",
                                "no sentence at vs. it"}) {
        EXPECT_EQ(read_phrase(said(phrase + std::string(".") + rest)).text, phrase);
        EXPECT_EQ(read_phrase(said(phrase + std::string("!") + rest)).text, phrase);
    }
    const std::string no_end = "the one and the other and a third and a fourth of the U.S. kind and many more";
    EXPECT_EQ(read_phrase(said(no_end)).text, no_end);
}

TEST(ReadPhrase, ARefusalIsNoPhrase) {
    for (const char * content :
         {"I'm sorry, but I can't tell.", "I\u2019m sorry, no.", "I cannot say", "I can't", "\"I can\u2019t do that\"",
          "As an AI, I have no view", "Explanation: I am unable to see a pattern"}) {
        const AskerAnswer answer = read_phrase(said(content));
        EXPECT_THAT(answer.problem, HasSubstr("refusal")) << content;
        EXPECT_EQ(answer.text, "") << content;
    }
    for (const char * content :
         {"as an aid to memory", "apologies such as \"I'm sorry\"", "sorry, regret and pardon"}) {
        EXPECT_EQ(read_phrase(said(content)).text, content);
    }
}

TEST(ReadPhrase, SaysWhatIsWrongWithAnAnswer) {
    EXPECT_THAT(read_phrase(said("")).problem, HasSubstr("empty"));
    EXPECT_THAT(read_phrase(said(" \n ")).problem, HasSubstr("empty"));
    EXPECT_THAT(read_phrase(said("10, 9, 8")).problem, HasSubstr("no word"));
    EXPECT_THAT(read_phrase(said("<think> hm")).problem, HasSubstr("think"));
    EXPECT_THAT(read_phrase(said(std::string(300, 'a'))).problem, HasSubstr("longer"));
    EXPECT_EQ(read_phrase(said("")).text, "");
}

TEST(ReadPhrase, AnAnswerThatWasCutOffCountsIfItsFirstSentenceIsWhole) {
    const auto cut_off = [](const char * content) {
        ChatReply reply = said(content);
        reply.finish_reason = "length";
        return read_phrase(reply);
    };
    EXPECT_THAT(cut_off("words for cold weather and for all that").problem, HasSubstr("longer"));
    EXPECT_THAT(cut_off("Explanation: words for cold").problem, HasSubstr("longer"));
    EXPECT_THAT(cut_off("references to the U.S. and").problem, HasSubstr("longer"));
    EXPECT_THAT(cut_off("references to the U.S.").problem, HasSubstr("longer")) << "who knows";
    for (const char * content :
         {"words for cold weather.", "words for cold weather. In the", "words for cold weather\nIn the"}) {
        EXPECT_EQ(cut_off(content).text, "words for cold weather") << content;
    }
}

TEST(ReadYesNo, TakesProbabilitiesOverWords) {
    const AskerAnswer answer = read_yes_no(answered("No", {{" yes", std::log(0.6)}, {"No", std::log(0.2)}}).reply);
    EXPECT_NEAR(*answer.number, std::log(3.0), 1e-9);
    EXPECT_EQ(*read_yes_no(said("Yes, it does.")).number, 1);
    EXPECT_EQ(*read_yes_no(said("no")).number, -1);
    EXPECT_FALSE(read_yes_no(said("Nobody knows")).number.has_value());
    EXPECT_THAT(read_yes_no(said("maybe")).problem, HasSubstr("neither yes nor no"));
}

TEST(ReadRating, IsTheExpectedNumber) {
    const AskerAnswer answer =
        read_rating(answered("4", {{"4", std::log(0.6)}, {" 2", std::log(0.2)}, {"7", std::log(0.1)}}).reply);
    EXPECT_NEAR(*answer.number, (4 * 0.6 + 2 * 0.2) / 0.8, 1e-9);
    EXPECT_EQ(*read_rating(said("3.")).number, 3);
    EXPECT_FALSE(read_rating(said("35")).number.has_value());
    EXPECT_FALSE(read_rating(said("high")).number.has_value());
}

TEST(Asker, AsksAgainForWhatCannotBeReadAndThenRecordsWhy) {
    std::vector<ChatRequest> asked;
    int calls = 0;
    FakeService service(
        [&](const ChatRequest & request) {
            const std::string & prompt = request.messages.back().content;
            if (prompt == "empty") {
                return answered("");
            }
            if (prompt == "refused") {
                return answered("I'm sorry, but I see no pattern.");
            }
            if (prompt == "late") {
                return answered(++calls < 2 ? "" : "a phrase");
            }
            return prompt == "long" ? failed(ChatStatus::rejected, "HTTP 400: too long") : answered("another phrase");
        },
        &asked);
    Asker asker(service, 1, {});
    const std::vector<std::string> prompts = {"empty", "late", "long", "fine", "refused"};
    const std::vector<AskerAnswer> answers = asker.explain(prompts, 40);
    EXPECT_THAT(answers[0].problem, HasSubstr("empty"));
    EXPECT_EQ(answers[1].text, "a phrase");
    EXPECT_EQ(answers[1].problem, "");
    EXPECT_EQ(answers[2].problem, "HTTP 400: too long");
    EXPECT_EQ(answers[3].text, "another phrase");
    EXPECT_THAT(answers[4].problem, HasSubstr("refusal"));
    EXPECT_EQ(asked.size(), 5u + 3 + 2); // a rejected request would be rejected again
    EXPECT_EQ(asked.front().temperature, 0);
    EXPECT_GT(asked.back().temperature, 0);
    EXPECT_EQ(asked.front().max_tokens, 40);
    EXPECT_EQ(asker.down(), "");
}

TEST(Asker, WhenTheServiceFailsForGoodWhatIsOpenHasFailedWithItsReason) {
    int calls = 0;
    FakeService service([&](const ChatRequest &) -> ChatOutcome {
        if (++calls > 1) {
            throw Error(ErrorKind::judge, "the server is gone");
        }
        return answered("Yes");
    });
    Asker asker(service, 1, {});
    const std::vector<std::string> prompts = {"a", "b"}; // the fake answers the last one first
    const std::vector<AskerAnswer> answers = asker.yes_no(prompts);
    EXPECT_EQ(answers[0].problem, "the server is gone");
    EXPECT_EQ(*answers[1].number, 1);
    EXPECT_EQ(asker.down(), "the server is gone");
    EXPECT_EQ(asker.yes_no(prompts)[1].problem, "the server is gone");
    EXPECT_EQ(calls, 2) << "it is not asked any more";
}

} // namespace
} // namespace valuelens
