#include "concepts/questionnaire.h"

#include <map>
#include <set>

#include "concepts/files.h"
#include "support/expect_error.h"
#include "valuelens/concept_set.h"

namespace valuelens {
namespace {

// The sizes of the PVQ-40's keys.
const std::map<std::string, int> key_sizes = {
    {"conformity", 4},  {"tradition", 4}, {"benevolence", 4}, {"universalism", 6}, {"self_direction", 4},
    {"stimulation", 3}, {"hedonism", 3},  {"achievement", 4}, {"power", 3},        {"security", 5},
};

TEST(ShippedPortraits, AreTheSameFortyInEveryLanguage) {
    EXPECT_THAT(questionnaire_languages(), testing::ElementsAre("en", "es", "fr", "ko", "zh"));
    const Questionnaire english = shipped_portraits("en");
    std::set<std::string> texts;
    for (const std::string & language : questionnaire_languages()) {
        const Questionnaire questionnaire = shipped_portraits(language);
        EXPECT_EQ(questionnaire.language, language);
        EXPECT_EQ(questionnaire.name, "portraits40");
        ASSERT_EQ(questionnaire.items.size(), 40u);
        std::map<std::string, int> sizes;
        for (std::size_t i = 0; i < questionnaire.items.size(); ++i) {
            const QuestionnaireItem & item = questionnaire.items[i];
            EXPECT_EQ(item.id, english.items[i].id);
            EXPECT_EQ(item.value, english.items[i].value);
            EXPECT_TRUE(i == 0 || item.value != questionnaire.items[i - 1].value) << item.id;
            texts.insert(item.text);
            ++sizes[item.value];
        }
        EXPECT_EQ(sizes, key_sizes);
    }
    EXPECT_EQ(texts.size(), 200u);
    EXPECT_EQ(english.left_out, 0u);
}

TEST(ShippedPortraits, OtherLanguagesAreRefused) {
    for (const char * language : {"de", "", "keys/pvq40"}) {
        expect_error(ErrorKind::usage, {"shipped: en, es, fr, ko, zh"}, [&] { shipped_portraits(language); });
        expect_error(ErrorKind::usage, {"shipped: en, es, fr, ko, zh"}, [&] { shipped_questionnaire_texts(language); });
    }
}

TEST(ShippedQuestionnaireTexts, AskInEveryLanguage) {
    for (const std::string & language : questionnaire_languages()) {
        const QuestionnaireTexts texts = shipped_questionnaire_texts(language);
        EXPECT_EQ(texts.language, language);
        EXPECT_EQ(texts.likeness.options.size(), 6u);
        EXPECT_GE(texts.likeness.frames.size(), 3u);
        EXPECT_GE(texts.freeform.size(), 3u);
        const std::string options = lettered_options(texts.likeness.options);
        for (const QuestionFrame & frame : texts.likeness.frames) {
            const std::string question = ask(frame, "ITEM", options);
            EXPECT_THAT(question, testing::HasSubstr("ITEM"));
            EXPECT_THAT(question, testing::HasSubstr("F. " + texts.likeness.options[5]));
            EXPECT_THAT(question, testing::Not(testing::HasSubstr("{")));
        }
        for (const QuestionFrame & frame : texts.freeform) {
            EXPECT_THAT(ask(frame, "ITEM"), testing::AllOf(testing::HasSubstr("ITEM"), testing::HasSubstr("0"),
                                                           testing::Not(testing::HasSubstr("{"))));
        }
    }
}

TEST(ShippedQuestionnaireTexts, EnglishAsksAboutRepliesToo) {
    const auto similarity = shipped_questionnaire_texts("en").similarity;
    ASSERT_TRUE(similarity.has_value());
    EXPECT_EQ(similarity->options.size(), 6u);
    EXPECT_GE(similarity->frames.size(), 3u);
    for (const QuestionFrame & frame : similarity->frames) {
        const std::string question = ask_similarity(frame, "QUERY {options}", "REPLY", "OPTIONS");
        EXPECT_THAT(question, testing::AllOf(testing::HasSubstr("QUERY {options}"), testing::HasSubstr("REPLY"),
                                             testing::HasSubstr("OPTIONS")));
    }
}

TEST(LetteredOptions, AreOneALine) {
    EXPECT_EQ(lettered_options({"yes", "no"}), "A. yes\nB. no");
    EXPECT_EQ(lettered_options({}), "");
    expect_error(ErrorKind::internal, {"27 options"}, [] { lettered_options(std::vector<std::string>(27, "x")); });
}

class PortraitFile : public testing::Test {
protected:
    void expect_refused(const std::string & contents, const std::vector<std::string> & words) const {
        const auto path = files_.write("p.jsonl", contents);
        expect_error(ErrorKind::bad_input, words, [&] { load_portraits(path, "en", {"calm", "wit"}); });
    }
    FileFolder files_;
};

TEST_F(PortraitFile, TextsMayBeInSeveralLanguages) {
    const Questionnaire questionnaire =
        load_portraits(files_.write("mine.jsonl", "{\"id\": \"a\", \"value\": \"wit\", \"text\": {\"en\": \"Jokes.\", "
                                                  "\"fr\": \"Plaisante.\"}}\n"
                                                  "{\"id\": 2, \"value\": \"calm\", \"text\": \"Rests.\"}\n"),
                       "fr", {"calm", "wit"});
    EXPECT_EQ(questionnaire.name, "mine");
    ASSERT_EQ(questionnaire.items.size(), 2u);
    EXPECT_EQ(questionnaire.items[0].text, "Plaisante.");
    EXPECT_EQ(questionnaire.items[1].text, "Rests.");
    EXPECT_EQ(questionnaire.items[1].id, "2");
    EXPECT_EQ(questionnaire.items[1].value, "calm");
}

TEST_F(PortraitFile, BadRecordsAreRefused) {
    expect_refused("{\"id\": 1, \"value\": \"wit\", \"text\": {\"fr\": \"x\"}}",
                   {"p.jsonl:1: \"text\"", "\"en\" is missing"});
    expect_refused("{\"id\": 1, \"value\": \"wit\", \"text\": \" \"}", {"p.jsonl:1", "\"text\" is empty"});
    expect_refused("{\"id\": 1, \"value\": \"wit\"}", {"p.jsonl:1", "\"text\" is missing"});
    expect_refused("{\"id\": 1, \"value\": \"greed\", \"text\": \"x\"}", {"p.jsonl:1", "\"greed\"", "calm, wit"});
    expect_refused("{\"id\": 1, \"value\": \"wit\", \"text\": \"x\"}\n{\"id\": 1, \"value\": \"wit\", \"text\": \"y\"}",
                   {"p.jsonl:2", "id \"1\"", "p.jsonl:1"});
}

class QuestionnaireTextsFile : public testing::Test {
protected:
    void expect_refused(const std::string & contents, const std::vector<std::string> & words) const {
        const auto path = files_.write("t.toml", contents);
        expect_error(ErrorKind::bad_input, words, [&] { load_questionnaire_texts(path); });
    }
    const std::string head_ = "language = \"xx\"\nname = \"Test\"\n";
    const std::string options_ = "options = [\"a\", \"b\", \"c\", \"d\", \"e\", \"f\"]\n";
    const std::string question_ = "[[question]]\nid = \"q\"\ntext = \"{item}? {options}\"\n";
    const std::string freeform_ = "[[freeform]]\nid = \"f\"\ntext = \"{item}?\"\n";
    FileFolder files_;
};

TEST_F(QuestionnaireTextsFile, AUsersOwnLanguageLoads) {
    const QuestionnaireTexts texts =
        load_questionnaire_texts(files_.write("t.toml", head_ + options_ + question_ + freeform_));
    EXPECT_EQ(texts.language, "xx");
    EXPECT_THAT(texts.likeness.options, testing::ElementsAre("a", "b", "c", "d", "e", "f"));
    EXPECT_EQ(ask(texts.likeness.frames[0], "x", "y"), "x? y");
    EXPECT_FALSE(texts.similarity.has_value());
}

TEST_F(QuestionnaireTextsFile, BadTextsAreRefused) {
    expect_refused(head_ + options_ + question_, {"t.toml:1", "no [[freeform]]"});
    expect_refused(head_ + question_ + freeform_, {"t.toml:1", "\"options\" is missing"});
    expect_refused(head_ + "options = [\"a\", \"b\"]\n" + question_, {"t.toml:3", "has 2 answers", "expected 6"});
    expect_refused(head_ + "options = [\"a\", \"b\", \"c\", \"d\", \"e\", \"a\"]\n", {"t.toml:3", "option \"a\""});
    expect_refused(head_ + "options = [\"a\", 2]\n", {"t.toml:3", "element 2", "string"});
    expect_refused(head_ + "options = \"a\"\n", {"t.toml:3", "must be an array"});
    expect_refused(head_ + options_ + question_ + question_, {"t.toml:8", "id \"q\"", "t.toml:5"});
    expect_refused(head_ + options_ + "[[question]]\nid = \"q\"\ntext = \"{item}?\"\n", {"t.toml:6", "no {options}"});
    expect_refused(head_ + options_ + question_ + "[[freeform]]\nid = \"f\"\ntext = \"{item} {value}\"\n",
                   {"t.toml:9", "{value}", "the slots are {item}"});
    expect_refused(head_ + options_ + question_ + "[[freeform]]\nid = \"f\"\ntext = \"{item} {item}\"\n",
                   {"t.toml:9", "{item}", "twice"});
    expect_refused(head_ + options_ + question_ + freeform_ + "[similarity]\n" + options_ +
                       "[[similarity.question]]\nid = \"s\"\ntext = \"{query} {options}\"\n",
                   {"t.toml:14", "no {response}"});
    expect_refused(head_ + "lang = 1\n", {"t.toml:3", "unknown key \"lang\""});
}

} // namespace
} // namespace valuelens
