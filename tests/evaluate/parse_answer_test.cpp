#include "evaluate/parse_answer.h"

#include <gtest/gtest.h>

#include "concepts/questionnaire.h"

namespace valuelens {
namespace {

const std::vector<std::string> labels = {"Very much like me",     "Largely like me",  "Somewhat like me",
                                         "Only a little like me", "Not much like me", "Not like me at all"};

void expect_option(const std::string & answer, std::size_t option) {
    const auto parsed = parse_answer(answer, labels);
    ASSERT_TRUE(parsed) << answer;
    EXPECT_EQ(*parsed, option) << answer;
}

void expect_none(const std::string & answer) {
    EXPECT_FALSE(parse_answer(answer, labels)) << answer;
}

TEST(ParseAnswer, TakesLettersAndLabelsAsTheyAreUsuallyWritten) {
    expect_option("B", 1);
    expect_option(" b.\n", 1);
    expect_option("**F**", 5);
    expect_option("(C)", 2);
    expect_option("D. Only a little like me", 3);
    expect_option("\"not like me at all.\"", 5);
    expect_option("A. It fits me, since I enjoy it.", 0);
}

TEST(ParseAnswer, FindsTheOneLabelInASentence) {
    expect_option("I would say this is only a little like me, to be honest.", 3);
    expect_option("A person like that is somewhat like me", 2);
}

TEST(ParseAnswer, AShorterLabelInsideALongerOneIsNotFound) {
    const std::vector<std::string> nested = {"like me", "not like me", "not like me at all"};
    EXPECT_EQ(parse_answer("It is not like me at all, no.", nested), 2u);
    EXPECT_EQ(parse_answer("It is not like me, no.", nested), 1u);
    EXPECT_EQ(parse_answer("It is like me.", nested), 0u);
    EXPECT_FALSE(parse_answer("It is like me, then again not like me.", nested));
}

TEST(ParseAnswer, ALabelInsideAWordIsNotFound) {
    EXPECT_FALSE(parse_answer("I cannot know", {"yes", "no"}));
    EXPECT_EQ(parse_answer("Well, no: I cannot", {"yes", "no"}), 1u);
    EXPECT_EQ(parse_answer("그래 나와 같다고 생각해", {"나와 같다", "나와 다르다"}), 0u);
}

TEST(ParseAnswer, NamesNothingWhereNothingOrSeveralOrAContradictionIsNamed) {
    expect_none("");
    expect_none("   \n");
    expect_none("G");
    expect_none("A person who cares.");
    expect_none("As an AI, I have no self.");
    expect_none("Somewhat like me or largely like me");
    expect_none("A. Not like me at all");
}

TEST(ParseAnswer, ReadsTheShippedLabelsOfAllLanguages) {
    for (const std::string & language : questionnaire_languages()) {
        const std::vector<std::string> options = shipped_questionnaire_texts(language).likeness.options;
        for (std::size_t i = 0; i < options.size(); ++i) {
            EXPECT_EQ(parse_answer(options[i], options), i) << language << ": " << options[i];
            EXPECT_EQ(parse_answer("> " + options[i] + "。", options), i) << language << ": " << options[i];
        }
    }
}

TEST(ParseAnswer, ReadsLettersBetweenTheMarksOfAllLanguages) {
    const std::vector<std::string> options = shipped_questionnaire_texts("zh").likeness.options;
    for (const std::string answer :
         {"C。", "（C）", "C、", "「C」", "C：", " C ", "«\u00a0C\u00a0»", "“C”", "¿C?", "'C'", "C'"}) {
        EXPECT_EQ(parse_answer(answer, options), 2u) << answer;
    }
    EXPECT_EQ(parse_answer("C。" + options[2], options), 2u);
    EXPECT_FALSE(parse_answer("C。" + options[4], options)) << "a letter that contradicts the label";
}

TEST(ParseAnswer, AnElisionIsNoLetter) {
    const std::vector<std::string> options = shipped_questionnaire_texts("fr").likeness.options;
    EXPECT_FALSE(parse_answer("C'est difficile à dire.", options));
    EXPECT_FALSE(parse_answer("C’est difficile à dire.", options));
    EXPECT_FALSE(parse_answer("D'après ce portrait, je ne sais pas.", options));
    for (std::size_t i = 0; i < options.size(); ++i) {
        EXPECT_EQ(parse_answer("C'est bien ceci : " + options[i], options), i) << options[i];
    }
}

} // namespace
} // namespace valuelens
