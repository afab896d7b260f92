#include "valuelens/records.h"

#include "concepts/files.h"
#include "support/expect_error.h"

namespace valuelens {
namespace {

class TranscriptFile : public testing::Test {
protected:
    void expect_refused(const std::string & contents, const std::vector<std::string> & words) const {
        const auto path = files_.write("t.jsonl", contents);
        expect_error(ErrorKind::bad_input, words, [&] { load_transcripts(path, true); });
    }
    FileFolder files_;
};

TEST_F(TranscriptFile, ChatsAndPlainPromptsAreRead) {
    const auto transcripts = load_transcripts(
        files_.write("t.jsonl",
                     "{\"id\": \"a\", \"system\": \"\", \"user\": \"Hi?\", \"response\": \"Yes.\", \"note\": 1}\n"
                     "{\"id\": \"b\", \"user\": \"Hi?\", \"response\": \"No.\"}\r\n\n"
                     "{\"id\": 3, \"prompt\": \"Once\", \"response\": \" upon\"}\n"),
        true);
    ASSERT_EQ(transcripts.size(), 3u);
    EXPECT_EQ(transcripts[0].system, "") << "an explicit empty system message differs from none";
    EXPECT_EQ(transcripts[0].user, "Hi?");
    EXPECT_EQ(transcripts[0].response, "Yes.");
    EXPECT_EQ(transcripts[1].system, std::nullopt);
    EXPECT_EQ(transcripts[2].id, "3");
    EXPECT_EQ(transcripts[2].prompt, "Once");
    EXPECT_EQ(transcripts[2].response, " upon");
    EXPECT_EQ(transcripts[2].line, 4u);
}

TEST_F(TranscriptFile, AResponseIsNeededOnlyWhereAsked) {
    const auto path = files_.write("p.jsonl", "{\"id\": \"a\", \"user\": \"Hi?\"}\n");
    EXPECT_EQ(load_transcripts(path, false).at(0).response, std::nullopt);
    expect_error(ErrorKind::bad_input, {"p.jsonl:1", "\"response\" is missing"}, [&] { load_transcripts(path, true); });
}

TEST_F(TranscriptFile, BadLinesAreRefused) {
    expect_refused("{\"user\": \"Hi?\", \"response\": \"x\"}", {"t.jsonl:1", "\"id\" is missing"});
    expect_refused("{\"id\": \"\", \"user\": \"Hi?\", \"response\": \"x\"}", {"t.jsonl:1", "\"id\" is empty"});
    expect_refused("{\"id\": [1], \"user\": \"Hi?\", \"response\": \"x\"}", {"t.jsonl:1", "\"id\" is a JSON array"});
    expect_refused("{\"id\": \"a\", \"response\": \"x\"}", {"t.jsonl:1", "\"user\" (or \"prompt\") is missing"});
    expect_refused("{\"id\": \"a\", \"user\": \"\", \"response\": \"x\"}", {"t.jsonl:1", "\"user\" is empty"});
    expect_refused("{\"id\": \"a\", \"user\": \"u\", \"response\": \" \"}", {"t.jsonl:1", "\"response\" is empty"});
    expect_refused("{\"id\": \"a\", \"user\": \"u\", \"prompt\": \"p\", \"response\": \"x\"}",
                   {"t.jsonl:1", "\"prompt\" beside \"user\""});
    expect_refused("{\"id\": \"a\", \"system\": \"s\", \"prompt\": \"p\", \"response\": \"x\"}",
                   {"t.jsonl:1", "\"prompt\" beside \"system\""});
    expect_refused(
        "{\"id\": \"a\", \"user\": \"u\", \"response\": \"x\"}\n{\"id\": \"a\", \"user\": \"v\", \"response\": \"y\"}",
        {"t.jsonl:2", "id \"a\"", "t.jsonl:1"});
    expect_refused("", {"t.jsonl", "is empty"});
}

class LabelFile : public testing::Test {
protected:
    void expect_refused(const std::string & contents, const std::vector<std::string> & words) const {
        const auto path = files_.write("l.jsonl", contents);
        expect_error(ErrorKind::bad_input, words, [&] { load_labels(path); });
    }
    FileFolder files_;
};

TEST_F(LabelFile, LabelsAreRead) {
    const auto labels = load_labels(files_.write(
        "l.jsonl",
        "{\"id\": \"a\", \"value\": \"power\", \"condition\": \"intrinsic\", \"expresses\": true, \"query\": \"q1\"}\n"
        "{\"id\": \"a\", \"value\": \"power\", \"condition\": \"prompted\", \"expresses\": false}\n"));
    ASSERT_EQ(labels.size(), 2u);
    EXPECT_EQ(labels[0].id, "a");
    EXPECT_EQ(labels[0].value, "power");
    EXPECT_EQ(labels[0].condition, Condition::intrinsic);
    EXPECT_TRUE(labels[0].expresses);
    EXPECT_EQ(labels[0].query, "q1");
    EXPECT_EQ(labels[1].condition, Condition::prompted);
    EXPECT_FALSE(labels[1].expresses);
    EXPECT_EQ(labels[1].query, "");
}

TEST_F(LabelFile, BadLinesAreRefused) {
    const std::string good =
        "{\"id\": \"a\", \"value\": \"power\", \"condition\": \"intrinsic\", \"expresses\": true}\n";
    expect_refused(good + good, {"l.jsonl:2", "a / power / intrinsic", "l.jsonl:1"});
    expect_refused("{\"id\": \"a\", \"value\": \"power\", \"condition\": \"intrinsic\", \"expresses\": 1}",
                   {"l.jsonl:1", "\"expresses\" is a JSON number", "true or false"});
    expect_refused("{\"id\": \"a\", \"value\": \"power\", \"condition\": \"intrinsic\"}",
                   {"l.jsonl:1", "\"expresses\" is missing"});
    expect_refused("{\"id\": \"a\", \"value\": \"power\", \"condition\": \"both\", \"expresses\": true}",
                   {"l.jsonl:1", "\"condition\" is \"both\"", "intrinsic", "prompted"});
    expect_refused("{\"id\": \"a\", \"condition\": \"intrinsic\", \"expresses\": true}",
                   {"l.jsonl:1", "\"value\" is missing"});
}

TEST(ConditionNames, GoBothWays) {
    EXPECT_EQ(condition_from_string(to_string(Condition::prompted)), Condition::prompted);
    EXPECT_EQ(condition_from_string("intrinsic"), Condition::intrinsic);
    expect_error(ErrorKind::bad_input, {"\"Intrinsic\""}, [] { condition_from_string("Intrinsic"); });
}

} // namespace
} // namespace valuelens
