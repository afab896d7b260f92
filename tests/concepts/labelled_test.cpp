#include <algorithm>

#include "concepts/files.h"
#include "support/expect_error.h"
#include "valuelens/concept_set.h"
#include "valuelens/records.h"

namespace valuelens {
namespace {

class LabelledFile : public testing::Test {
protected:
    void expect_refused(const std::string & contents, const std::vector<std::string> & words) const {
        const auto path = files_.write("l.jsonl", contents);
        expect_error(ErrorKind::bad_input, words, [&] { load_labelled_texts(path, {"power", "security"}); });
    }
    FileFolder files_;
};

TEST_F(LabelledFile, JsonLines) {
    const auto texts = load_labelled_texts(
        files_.write("l.jsonl", "{\"id\": \"a\", \"text\": \"x\", \"group\": \"g\", \"labels\": {\"security\": true}}\n"
                                "{\"text\": \"y\", \"labels\": {\"security\": null, \"power\": false}}\n"),
        {"power", "security"});
    ASSERT_EQ(texts.size(), 2u);
    EXPECT_EQ(texts[0].id, "a");
    EXPECT_EQ(texts[0].text, "x");
    EXPECT_EQ(texts[0].group, "g");
    EXPECT_THAT(texts[0].labels, testing::ElementsAre(-1, 1));
    EXPECT_EQ(texts[1].id, "n2");
    EXPECT_THAT(texts[1].labels, testing::ElementsAre(0, -1));
}

TEST_F(LabelledFile, BadLinesAreRefused) {
    expect_refused("{\"text\": \"x\", \"labels\": {\"greed\": true}}", {"l.jsonl:1", "\"greed\"", "power, security"});
    expect_refused("{\"text\": \"x\", \"labels\": {\"power\": \"yes\"}}", {"l.jsonl:1", "\"power\" is a JSON string"});
    expect_refused("{\"text\": \"x\"}", {"l.jsonl:1", "\"labels\" is missing"});
    expect_refused("{\"text\": \"\", \"labels\": {}}", {"l.jsonl:1", "\"text\" is empty"});
    expect_refused("{\"id\": 1, \"text\": \"x\", \"labels\": {}}\n{\"id\": 1, \"text\": \"y\", \"labels\": {}}",
                   {"l.jsonl:2", "id \"1\"", "l.jsonl:1"});
    expect_error(ErrorKind::bad_input, {"none.jsonl"}, [&] { load_labelled_texts(files_ / "none.jsonl", {"power"}); });
}

const std::string argument_head = "Argument ID\tConclusion\tStance\tPremise\n";
const std::string label_head =
    "Argument ID\tSelf-direction: thought\tSelf-direction: action\tStimulation\tHedonism\tAchievement\tPower: "
    "dominance\t"
    "Power: resources\tFace\tSecurity: personal\tSecurity: societal\tTradition\tConformity: rules\tConformity: "
    "interpersonal\t"
    "Humility\tBenevolence: caring\tBenevolence: dependability\tUniversalism: concern\tUniversalism: nature\t"
    "Universalism: tolerance\tUniversalism: objectivity\n";

std::string label_row(const std::string & id, const std::vector<int> & ones) {
    std::string row = id;
    for (int i = 0; i < 20; ++i) {
        row += std::find(ones.begin(), ones.end(), i) == ones.end() ? "\t0" : "\t1";
    }
    return row + "\n";
}

class ToucheFolder : public testing::Test {
protected:
    void expect_refused(const std::string & arguments, const std::string & labels,
                        const std::vector<std::string> & words) {
        files_.write("arguments-x.tsv", arguments);
        files_.write("labels-x.tsv", labels);
        expect_error(ErrorKind::bad_input, words, [&] { load_labelled_texts(files_.path(), ids_); });
    }
    FileFolder files_;
    std::vector<std::string> ids_ = {"tradition", "self_direction", "sarcasm", "universalism"};
};

TEST_F(ToucheFolder, TwentyValuesBecomeTen) {
    files_.write("arguments-x.tsv", argument_head + "A1\tban it\tin favor of\tfirst\nA2\tban it\tagainst\tsecond\r\n");
    files_.write("labels-x.tsv", label_head + label_row("A2", {1, 19}) + label_row("A1", {13}));
    const auto texts = load_labelled_texts(files_ / "arguments-x.tsv", ids_);
    ASSERT_EQ(texts.size(), 2u);
    EXPECT_EQ(texts[0].id, "A1");
    EXPECT_EQ(texts[0].text, "first");
    EXPECT_EQ(texts[0].group, "ban it");
    EXPECT_EQ(texts[1].text, "second");
    EXPECT_THAT(texts[0].labels, testing::ElementsAre(1, 0, -1, 0)) << "humility counts as tradition";
    EXPECT_THAT(texts[1].labels, testing::ElementsAre(0, 1, -1, 0)) << "objectivity does not count as universalism";
}

TEST_F(ToucheFolder, BadTablesAreRefused) {
    const std::string arguments = argument_head + "A1\tban it\tin favor of\tfirst\n";
    const std::string labels = label_head + label_row("A1", {});
    expect_refused("Argument ID\tConclusion\tStance\tText\n", labels, {"arguments-x.tsv:1", "\"Premise\" is missing"});
    expect_refused(arguments, "Argument ID\tFace\n", {"labels-x.tsv:1", "is missing"});
    expect_refused(arguments + "A2\tx\n", labels, {"arguments-x.tsv:3", "2 tab-separated cells"});
    expect_refused(arguments + "A1\tx\ty\tz\n", labels, {"arguments-x.tsv:3", "\"A1\"", "arguments-x.tsv:2"});
    expect_refused(arguments + "A2\tx\ty\tz\n", labels, {"arguments-x.tsv:3", "\"A2\" has no labels"});
    expect_refused(arguments, labels + label_row("A2", {}), {"labels-x.tsv:3", "\"A2\" is not in"});
    expect_refused(arguments, labels + label_row("A1", {}), {"labels-x.tsv:3", "labelled twice"});
    std::string maybe = labels;
    maybe[maybe.size() - 2] = '2';
    expect_refused(arguments, maybe, {"labels-x.tsv:2", "Universalism: objectivity", "\"2\""});
    expect_refused("", labels, {"arguments-x.tsv", "is empty"});
    ids_ = {"sarcasm"};
    expect_refused(arguments, labels, {"none of which is in the concept set", "sarcasm"});
}

TEST_F(ToucheFolder, MissingPartsAreNamed) {
    expect_error(ErrorKind::bad_input, {"arguments-<part>.tsv"}, [&] { load_labelled_texts(files_.path(), ids_); });
    files_.write("arguments-x.tsv", argument_head + "A1\ta\tb\tc\n");
    expect_error(ErrorKind::bad_input, {"labels-x.tsv", "cannot be read"},
                 [&] { load_labelled_texts(files_.path(), ids_); });
}

TEST(Touche23, TheRealFilesLoad) {
    const auto folder = shared_data / "touche23";
    if (!std::filesystem::exists(folder)) {
        GTEST_SKIP() << folder << " is absent";
    }
    std::vector<std::string> ids;
    for (const Concept & concept_ : schwartz10().concepts) {
        ids.push_back(concept_.id);
    }
    const auto validation = load_labelled_texts(folder / "arguments-validation.tsv", ids);
    EXPECT_EQ(validation.size(), 1896u);
    EXPECT_EQ(load_labelled_texts(folder, ids).size(), 5393u + 1896u);
    // The first row of the file: "Security: societal" alone.
    EXPECT_EQ(validation[0].id, "A01001");
    EXPECT_EQ(validation[0].group, "Entrapment should be legalized");
    EXPECT_THAT(validation[0].labels, testing::ElementsAre(0, 0, 0, 0, 0, 1, 0, 0, 0, 0));
}

} // namespace
} // namespace valuelens
