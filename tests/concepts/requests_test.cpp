#include "concepts/requests.h"

#include <set>

#include "concepts/files.h"
#include "concepts/refusals.h"
#include "support/expect_error.h"

namespace valuelens {
namespace {

TEST(ShippedRequests, AreEnoughAndDifferent) {
    const RequestSet refusable = shipped_refusable_requests();
    const RequestSet benign = shipped_benign_requests();
    EXPECT_EQ(refusable.requests.size(), 30u);
    EXPECT_EQ(benign.requests.size(), 64u);
    EXPECT_EQ(refusable.duplicates + benign.duplicates, 0u);
    std::set<std::string> categories;
    for (const ModelRequest & request : benign.requests) {
        EXPECT_FALSE(request.category.empty());
        categories.insert(request.category);
    }
    EXPECT_EQ(categories.size(), 8u);
}

class RequestFile : public testing::Test {
protected:
    void expect_refused(const std::string & name, const std::string & contents,
                        const std::vector<std::string> & words) const {
        const auto path = files_.write(name, contents);
        expect_error(ErrorKind::bad_input, words, [&] { load_requests(path); });
    }
    FileFolder files_;
};

TEST_F(RequestFile, AdvBench) {
    const RequestSet set = load_requests(
        files_.write("adv.csv", "goal,target\nTell a riddle,\"Sure, here is\"\nSing,Sure\nTell a riddle,Yes\n"));
    ASSERT_EQ(set.requests.size(), 2u);
    EXPECT_EQ(set.duplicates, 1u);
    EXPECT_EQ(set.requests[0].id, "1");
    EXPECT_EQ(set.requests[0].prompt(), "Tell a riddle");
    EXPECT_EQ(set.requests[1].id, "2");
}

TEST_F(RequestFile, HarmBenchWithContextAndWithoutCopyright) {
    const RequestSet set = load_requests(
        files_.write("harm.csv", "Behavior,FunctionalCategory,SemanticCategory,Tags,ContextString,BehaviorID\n"
                                 "Sum it up,contextual,riddles,context,\"A text,\nof two lines\",sum_up\n"
                                 "Sing a song,copyright,songs,,,song\n"
                                 "Hum,standard,songs,,,hum\n"));
    ASSERT_EQ(set.requests.size(), 2u);
    EXPECT_EQ(set.copyright, 1u);
    EXPECT_EQ(set.requests[0].id, "sum_up");
    EXPECT_EQ(set.requests[0].category, "riddles");
    EXPECT_EQ(set.requests[0].prompt(), "A text,\nof two lines\n\n---\n\nSum it up");
    EXPECT_EQ(set.requests[1].prompt(), "Hum");
}

TEST_F(RequestFile, JsonLines) {
    const RequestSet set = load_requests(
        files_.write("r.jsonl", "{\"text\": \"Hum\"}\n{\"text\": \"Sing\", \"id\": \"s\", \"category\": \"c\"}\n"));
    ASSERT_EQ(set.requests.size(), 2u);
    EXPECT_EQ(set.requests[0].id, "1");
    EXPECT_EQ(set.requests[1].category, "c");
}

TEST_F(RequestFile, WhatIsBrokenIsSaidWithItsPlace) {
    expect_refused("a.csv", "goal,target\n , Sure\n", {"a.csv:2", "empty"});
    expect_refused("b.csv", "question,target\nx,y\n", {"b.csv:1", "goal", "behavior"});
    expect_refused("c.csv", "Behavior,BehaviorID\nx,one\ny,one\n", {"c.csv:3", "one"});
    expect_refused("d.csv", "Behavior,FunctionalCategory,BehaviorID\nx,copyright,one\n", {"d.csv", "1 of copyright"});
    expect_refused("e.jsonl", "{\"text\": 3}\n", {"e.jsonl:1", "text"});
}

TEST(RefusalPhrases, AreFoundWhateverTheirCaseApostropheAndSpaces) {
    const RefusalPhrases phrases = shipped_refusal_phrases();
    EXPECT_TRUE(phrases.found_in("I CAN\u2019T  help\nwith that."));
    EXPECT_TRUE(phrases.found_in("Well, I'm sorry, but no."));
    EXPECT_TRUE(phrases.found_in("很抱歉，我不能这样做。"));
    EXPECT_TRUE(phrases.found_in("Lo siento, no puedo."));
    EXPECT_TRUE(phrases.found_in("Je suis d\u00e9sol\u00e9, mais non."));
    EXPECT_TRUE(phrases.found_in("죄송하지만 안 됩니다."));
    EXPECT_TRUE(phrases.found_in(" \n")) << "an answer without words is none";
    EXPECT_FALSE(phrases.found_in("Use the command kill with the number of the process."));
    EXPECT_FALSE(phrases.found_in("I can't wait to show you: first beat the eggs."));
}

TEST(RefusalPhrases, FileOfOnesOwn) {
    const FileFolder files;
    const RefusalPhrases phrases = load_refusal_phrases(files.write("p.txt", "# comment\n\n  Nope \n"));
    EXPECT_EQ(phrases.count(), 1u);
    EXPECT_TRUE(phrases.found_in("nope."));
    EXPECT_FALSE(phrases.found_in("comment"));
    expect_error(ErrorKind::bad_input, {"none.txt", "no phrase"},
                 [&] { load_refusal_phrases(files.write("none.txt", "# comment\n")); });
}

} // namespace
} // namespace valuelens
