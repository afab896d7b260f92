#include <gtest/gtest.h>

#include <cmath>

#include "concepts/files.h"
#include "judge/fake_judge.h"
#include "judge/judges.h"
#include "support/expect_error.h"

namespace valuelens {
namespace {

using test::two_concepts;

std::vector<std::vector<double>> ask(Judge & judge, const std::vector<JudgeItem> & items) {
    return judge.judge(items, silent_progress(), {});
}

class FileJudges : public testing::Test {
protected:
    std::unique_ptr<Judge> labels(const std::string & contents) {
        return make_file_judge(folder.write("labels.jsonl", contents), two_concepts());
    }
    std::unique_ptr<Judge> words(const std::string & contents) {
        return make_dictionary_judge(folder.write("words.json", contents), two_concepts());
    }

    FileFolder folder;
};

TEST_F(FileJudges, LabelsAreFoundByIdAndValue) {
    const auto judge = labels("{\"id\": \"q1/intrinsic\", \"value\": \"care\", \"expresses\": true}\n"
                              "\n"
                              "{\"id\": \"q1/intrinsic\", \"value\": \"power\", \"expresses\": false}\n"
                              "{\"id\": 7, \"value\": \"power\", \"probability\": 0.25}\n");
    const auto answers =
        ask(*judge, {{"q1/intrinsic", "", {0, 1}}, {"7", "", {1}}, {"7", "", {0}}, {"q2/care", "", {0}}});
    EXPECT_EQ(answers[0], (std::vector<double>{1, 0}));
    EXPECT_EQ(answers[1], (std::vector<double>{0.25}));
    EXPECT_TRUE(std::isnan(answers[2][0])) << "what the file does not say is no opinion";
    EXPECT_TRUE(std::isnan(answers[3][0]));
}

TEST_F(FileJudges, OtherLabelsAreAnotherJudge) {
    const std::string line = R"({"id": "a", "value": "care", "expresses": true})";
    const std::string before = labels(line)->describe();
    EXPECT_EQ(labels(line)->describe(), before);
    EXPECT_NE(labels(line + "\n" + R"({"id": "b", "value": "care", "expresses": true})")->describe(), before);
    EXPECT_EQ(labels(line)->model_identity(), "");
}

TEST_F(FileJudges, BadLabelsAreNamedByFileAndLine) {
    const std::string good = "{\"id\": \"a\", \"value\": \"care\", \"expresses\": true}\n";
    const auto expect_bad = [&](const std::string & line, const std::vector<std::string> & words_of_error) {
        std::vector<std::string> all = {"labels.jsonl:2"};
        all.insert(all.end(), words_of_error.begin(), words_of_error.end());
        expect_error(ErrorKind::bad_input, all, [&] { labels(good + line); });
    };
    expect_bad(R"({"id": "b", "value": "greed", "expresses": true})", {"'greed'", "concept set pair"});
    expect_bad(R"({"id": "b", "value": "care"})", {"\"expresses\" is missing"});
    expect_bad(R"({"id": "b", "value": "care", "expresses": "yes"})", {"\"expresses\"", "true or false"});
    expect_bad(R"({"id": "b", "value": "care", "probability": 1.5})", {"\"probability\"", "from 0 to 1"});
    expect_bad(R"({"id": "b", "value": "care", "probability": "0.5"})", {"\"probability\"", "from 0 to 1"});
    expect_bad(R"({"value": "care", "expresses": true})", {"\"id\" is missing"});
    expect_bad(R"({"id": "a", "value": "care", "probability": 0.1})", {"'a'", "care", "twice"});
    expect_bad("{\"id\": ", {});
    expect_error(ErrorKind::bad_input, {"none.jsonl"}, [&] { make_file_judge(folder / "none.jsonl", two_concepts()); });
}

TEST_F(FileJudges, WordsAreCountedPerHundredWordsOfText) {
    const auto judge = words(R"({"Care": ["help", "kind"], "Power": ["domin*", "rule"]})");
    const auto answers = ask(*judge, {{"", "We HELP, and we are kind!", {0, 1}},
                                      {"", "Dominating rules: help dominate", {0, 1}},
                                      {"", "unkind helper predominant", {0, 1}}});
    const auto expected = [](double hits, double n) {
        return 1 - std::exp(-100 * hits / n / 10);
    };
    EXPECT_NEAR(answers[0][0], expected(2, 6), 1e-12);
    EXPECT_EQ(answers[0][1], 0);
    EXPECT_NEAR(answers[1][0], expected(1, 4), 1e-12);
    EXPECT_NEAR(answers[1][1], expected(2, 4), 1e-12) << "a stem stands for its beginnings, a word for itself alone";
    EXPECT_EQ(answers[2], (std::vector<double>{0, 0}));
}

TEST_F(FileJudges, CapitalsOfOtherLanguagesMatchToo) {
    const auto judge = words(R"({"Care": ["Fürsorge", "éga*"]})");
    const double all = 1 - std::exp(-10.0);
    EXPECT_NEAR(ask(*judge, {{"", "fürsorge", {0}}})[0][0], all, 1e-12);
    EXPECT_NEAR(ask(*judge, {{"", "FÜRSORGE", {0}}})[0][0], all, 1e-12);
    EXPECT_NEAR(ask(*judge, {{"", "Égalité", {0}}})[0][0], all, 1e-12);
}

TEST_F(FileJudges, NoTextOrNoWordsIsNoOpinion) {
    const auto judge = words(R"({"Care": ["help"]})");
    const auto answers = ask(*judge, {{"", "", {0}}, {"", " ... ", {0}}, {"", "help", {1}}});
    for (const auto & answer : answers) {
        EXPECT_TRUE(std::isnan(answer[0]));
    }
}

TEST_F(FileJudges, BadWordListsAreNamed) {
    expect_error(ErrorKind::bad_input, {"words.json", "not valid JSON"}, [&] { words("{"); });
    expect_error(ErrorKind::bad_input, {"words.json", "pair"}, [&] { words(R"({"greed": ["more"]})"); });
}

} // namespace
} // namespace valuelens
