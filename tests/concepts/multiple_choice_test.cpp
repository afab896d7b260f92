#include "concepts/multiple_choice.h"

#include <algorithm>
#include <map>
#include <set>

#include "concepts/files.h"
#include "support/expect_error.h"

namespace valuelens {
namespace {

using testing::ElementsAre;

std::vector<std::string> ids_of(const MultipleChoiceSet & set) {
    std::vector<std::string> ids;
    for (const MultipleChoiceQuestion & question : set.questions) {
        ids.push_back(question.id);
    }
    return ids;
}

class MultipleChoiceFile : public testing::Test {
protected:
    void expect_refused(const std::string & name, const std::string & contents,
                        const std::vector<std::string> & words) const {
        const auto path = files_.write(name, contents);
        expect_error(ErrorKind::bad_input, words, [&] { load_multiple_choice(path); });
    }
    FileFolder files_;
};

TEST_F(MultipleChoiceFile, JsonLines) {
    const MultipleChoiceSet set = load_multiple_choice(files_.write(
        "q.jsonl",
        R"({"id": "a", "subject": "sums", "question": " 1 + 1? ", "options": ["1", "2 ", "3", "4"], "answer": "B"}
{"id": 7, "subject": "sums", "question": "2 + 2?", "options": ["1", "2", "3", "4"], "answer": "D", "role": "example"}
{"id": "c", "subject": "other", "question": "1 + 1?", "options": ["1", "2", "3", "4"], "answer": "B"}
{"id": "d", "subject": "sums", "question": "2 + 2?", "options": ["1", "2", "3", "4"], "answer": "D", "role": null}
{"id": "e", "subject": "sums", "question": "1 + 1?", "options": ["4", "3", "2", "1"], "answer": "C"}
)"));
    EXPECT_THAT(ids_of(set), ElementsAre("a", "7", "d", "e"))
        << "a question to score and an example may be the same, and so may questions with other options";
    EXPECT_EQ(set.duplicates, 1u);
    EXPECT_EQ(set.ambiguous, 0u);
    EXPECT_EQ(set.questions[0].subject, "sums");
    EXPECT_EQ(set.questions[0].question, "1 + 1?");
    EXPECT_THAT(set.questions[0].options, ElementsAre("1", "2", "3", "4"));
    EXPECT_EQ(set.questions[0].answer, 1);
    EXPECT_FALSE(set.questions[0].example);
    EXPECT_EQ(set.questions[1].answer, 3);
    EXPECT_TRUE(set.questions[1].example);
}

TEST_F(MultipleChoiceFile, BadRecordsAreRefusedByLineAndField) {
    const auto record = [](const std::string & options, const std::string & rest) {
        return R"({"id": "a", "subject": "s", "question": "q?", "options": )" + options + rest + "}\n";
    };
    const std::string four = R"(["w", "x", "y", "z"])";
    const std::string good = record(four, R"(, "answer": "A")");
    expect_refused("q.jsonl", good + good, {"q.jsonl:2", "id \"a\"", "q.jsonl:1"});
    expect_refused("q.jsonl", record(four, ""), {"q.jsonl:1", "\"answer\" is missing"});
    for (const char * key : {"E", "a", "", "AB", "0"}) {
        expect_refused("q.jsonl", record(four, R"(, "answer": ")" + std::string(key) + "\""),
                       {"q.jsonl:1", "\"answer\" is \"" + std::string(key) + "\"", "\"D\""});
    }
    expect_refused("q.jsonl", record(four, R"(, "answer": 0)"), {"q.jsonl:1", "\"answer\" is a JSON number"});
    expect_refused("q.jsonl", record(four, R"(, "answer": "A", "role": "dev")"), {"q.jsonl:1", "\"role\" is \"dev\""});
    expect_refused("q.jsonl", record(R"(["w", "x", "y"])", R"(, "answer": "A")"), {"q.jsonl:1", "array of 3"});
    expect_refused("q.jsonl", record(R"("wxyz")", R"(, "answer": "A")"), {"q.jsonl:1", "\"options\" is a JSON string"});
    expect_refused("q.jsonl", record(R"(["w", "x", 3, "z"])", R"(, "answer": "A")"),
                   {"q.jsonl:1", "option C is a JSON number"});
    expect_refused("q.jsonl", record(R"(["w", " ", "y", "z"])", R"(, "answer": "A")"),
                   {"q.jsonl:1", "option B is empty"});
    expect_refused("q.jsonl", record(R"(["w", "x", "y", "x "])", R"(, "answer": "A")"),
                   {"q.jsonl:1", "options B and D are the same"});
    expect_refused("q.jsonl", R"({"id": "a", "subject": "s", "question": "", "options": ["w"], "answer": "A"})",
                   {"q.jsonl:1", "\"question\" is empty"});
    expect_refused("q.jsonl", R"({"id": "a", "question": "q?"})", {"q.jsonl:1", "\"subject\" is missing"});
    expect_refused("q.jsonl", R"({"id": "a", "subject": "s", "question": "q?"})",
                   {"q.jsonl:1", "\"options\" is missing"});
    expect_refused("q.jsonl", "", {"q.jsonl", "is empty"});
    expect_refused("q.txt", "q?", {"q.txt", ".jsonl", ".csv"});
    expect_error(ErrorKind::bad_input, {"none.jsonl"}, [&] { load_multiple_choice(files_ / "none.jsonl"); });
}

TEST_F(MultipleChoiceFile, MmluWithAndWithoutHeaderWithLettersOrDigits) {
    const std::string rows = "\"Which, of \"\"these\"\",\nis one?\", 1,2,3,4,";
    for (const std::string header : {"", "question,choice0,choice1,choice2,choice3,answer\r\n", "Q,A,B,C,D,Answer\n"}) {
        for (const auto & [first, second] : {std::pair{"A", "D"}, std::pair{"0", "3"}, std::pair{" A ", "3"}}) {
            const MultipleChoiceSet set = load_multiple_choice(files_.write(
                "odd_sums_test.csv", header + rows + first + "\r\nWhich is four?,1,2,3,4," + second + "\r\n"));
            EXPECT_THAT(ids_of(set), ElementsAre("odd_sums_test-1", "odd_sums_test-2"));
            EXPECT_EQ(set.questions[0].subject, "odd_sums");
            EXPECT_EQ(set.questions[0].question, "Which, of \"these\",\nis one?");
            EXPECT_THAT(set.questions[0].options, ElementsAre("1", "2", "3", "4"));
            EXPECT_EQ(set.questions[0].answer, 0);
            EXPECT_EQ(set.questions[1].answer, 3);
            EXPECT_FALSE(set.questions[1].example);
        }
    }
}

TEST_F(MultipleChoiceFile, MmluCountsWhatItLeavesOut) {
    const MultipleChoiceSet set = load_multiple_choice(files_.write("sums.csv", "right twice?,a,b,a ,c,A\n"
                                                                                "wrong twice?,a,b,b,c,A\n"
                                                                                "again?,a,b,c,d,A\n"
                                                                                "again?,a,b,c,d,A\n"));
    EXPECT_THAT(ids_of(set), ElementsAre("sums-2", "sums-3"));
    EXPECT_EQ(set.ambiguous, 1u);
    EXPECT_EQ(set.duplicates, 1u);
    expect_refused("sums.csv", "right twice?,a,b,a,c,A\n", {"sums.csv", "no question", "1 with two right options"});
}

TEST_F(MultipleChoiceFile, MmluFolders) {
    const std::filesystem::path root = files_ / "mmlu";
    for (const char * part : {"test", "dev", "val"}) {
        std::filesystem::create_directories(root / part);
        const std::string ending = std::string("_") + part + ".csv";
        files_.write("mmlu/" + std::string(part) + "/b" + ending, "b " + ending + "?,1,2,3,4,C\n");
        files_.write("mmlu/" + std::string(part) + "/a.csv", "a " + ending + "?,1,2,3,4,B\n");
    }
    files_.write("mmlu/README.txt", "no questions");
    const MultipleChoiceSet set = load_multiple_choice(root);
    EXPECT_THAT(ids_of(set), ElementsAre("a_test-1", "b_test-1", "a_dev-1", "b_dev-1"));
    EXPECT_TRUE(set.questions[2].example) << "by its folder";
    EXPECT_TRUE(set.questions[3].example) << "by its name";
    EXPECT_FALSE(set.questions[0].example);
    EXPECT_THAT(ids_of(load_multiple_choice(root / "val")), ElementsAre("a-1", "b_val-1"));

    std::filesystem::create_directories(files_ / "empty");
    expect_error(ErrorKind::bad_input, {"empty", "no CSV file"}, [&] { load_multiple_choice(files_ / "empty"); });
}

TEST_F(MultipleChoiceFile, BadMmluRowsAreRefusedByLine) {
    const std::string good = "\"two\nlines?\",1,2,3,4,A\n";
    expect_refused("m.csv", good + "q?,1,2,3,A\n", {"m.csv:3", "5 cells", "expected the 6"});
    expect_refused("m.csv", good + "q?,1,2,3,4,E\n", {"m.csv:3", "the answer is \"E\"", "A to D", "0 to 3"});
    expect_refused("m.csv", good + "q?,1,2,3,4,4\n", {"m.csv:3", "the answer is \"4\""});
    expect_refused("m.csv", good + "q?,1, ,3,4,A\n", {"m.csv:3", "option B is empty"});
    expect_refused("m.csv", good + " ,1,2,3,4,A\n", {"m.csv:3", "the question is empty"});
    expect_refused("m.csv", good + "q?,1,2,3,4,\n", {"m.csv:3", "the answer is empty"});
    expect_refused("m.csv", good + good + "question,a,b,c,d,answer\n", {"m.csv:5", "the answer is \"answer\""});
    expect_refused("m.csv", "question,a,b,c,d,answer\n", {"m.csv", "holds no question"});
    expect_refused("m.csv", "", {"m.csv", "holds no question"});
}

TEST(Mmlu, RealFilesLoad) {
    const std::filesystem::path folder = shared_data / "mmlu";
    if (!std::filesystem::exists(folder)) {
        GTEST_SKIP() << folder << " is absent";
    }
    const MultipleChoiceSet set = load_multiple_choice(folder);
    EXPECT_EQ(set.questions.size() + set.duplicates + set.ambiguous, 14042u + 285u) << "the published sizes";
    EXPECT_EQ(set.ambiguous, 4u);
    EXPECT_EQ(set.duplicates, 106u);
    std::map<std::string, std::size_t> examples;
    std::set<std::string> subjects;
    for (const MultipleChoiceQuestion & question : set.questions) {
        subjects.insert(question.subject);
        examples[question.subject] += question.example ? 1 : 0;
    }
    EXPECT_EQ(subjects.size(), 57u);
    EXPECT_EQ(examples.size(), 57u);
    for (const auto & [subject, count] : examples) {
        EXPECT_GE(count, 4u) << subject;
        EXPECT_LE(count, 5u) << subject;
    }
    const MultipleChoiceQuestion & first = set.questions[0];
    EXPECT_EQ(first.id, "abstract_algebra_test-1");
    EXPECT_EQ(first.question, "Find the degree for the given field extension Q(sqrt(2), sqrt(3), sqrt(18)) over Q.");
    EXPECT_THAT(first.options, ElementsAre("0", "4", "2", "6"));
    EXPECT_EQ(first.answer, 1);
}

TEST(ShippedMultipleChoice, IsBalancedOverKeysAndSubjects) {
    const MultipleChoiceSet set = shipped_multiple_choice();
    EXPECT_EQ(set.duplicates + set.ambiguous, 0u);
    std::array<int, 4> keys{};
    std::map<std::string, int> subjects;
    std::set<int> example_keys;
    for (const MultipleChoiceQuestion & question : set.questions) {
        if (question.example) {
            example_keys.insert(question.answer);
        } else {
            ++keys[static_cast<std::size_t>(question.answer)];
            ++subjects[question.subject];
        }
    }
    EXPECT_THAT(keys, ElementsAre(60, 60, 60, 60));
    EXPECT_EQ(subjects.size(), 24u);
    for (const auto & [subject, count] : subjects) {
        EXPECT_EQ(count, 10) << subject;
    }
    EXPECT_EQ(example_keys.size(), 4u);
    EXPECT_EQ(set.questions.size(), 245u);
    const auto position_of = [&](const char * text) {
        return std::find_if(set.questions.begin(), set.questions.end(),
                            [&](const auto & question) { return question.question.starts_with(text); });
    };
    const auto canada = position_of("Which city is the capital of Canada");
    ASSERT_NE(canada, set.questions.end());
    EXPECT_EQ(canada->options[static_cast<std::size_t>(canada->answer)], "Ottawa");
}

} // namespace
} // namespace valuelens
