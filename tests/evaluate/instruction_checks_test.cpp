// Each instruction with responses that follow it and that do not.

#include "evaluate/instruction_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "support/expect_error.h"

namespace valuelens {
namespace {

using nlohmann::json;

struct Fixture {
    std::string id;
    json arguments;
    std::vector<std::string> follow;
    std::vector<std::string> fail;
};

std::vector<Fixture> case_and_content() {
    return {
        {"change_case:capital_word_frequency",
         {{"capital_relation", "at least"}, {"capital_frequency", 3}},
         {"This IS VERY LOUD.", "I AM. HERE", "A WELL-KNOWN U.S. thing", "I'M here, NOW"},
         {"This IS VERY loud.", "Nothing Here Counts.", "A WELL-KNOWN thing"}},
        {"change_case:capital_word_frequency",
         {{"capital_relation", "less than"}, {"capital_frequency", 2}},
         {"One SHOUT only", "none", "3.14 and 42"},
         {"TWO SHOUTS"}},
        {"change_case:english_capital",
         json::object(),
         {"THIS WHOLE ANSWER STANDS IN CAPITAL LETTERS, SEE?", "WATER IS WET: 100 %."},
         {"THIS IS almost ALL CAPITAL LETTERS", "DIESER SATZ STEHT GANZ IN GROSSBUCHSTABEN UND IST DEUTSCH", "123"}},
        {"change_case:english_lowercase",
         json::object(),
         {"all of this is written in small letters.", "we have 3 cats and two dogs"},
         {"Only the first letter is large here", "este texto entero va en minúsculas y en español", "123 !"}},
        {"combination:repeat_prompt",
         {{"prompt_to_repeat", "Write a Poem. "}},
         {"Write a poem.\nRoses are red", "  WRITE A POEM. And here it is"},
         {"Sure! Write a poem.", "Write a poem"}},
        {"combination:two_responses",
         json::object(),
         {"First answer\n******\nSecond answer", "******\nOne\n******\nTwo\n******"},
         {"Only one", "Same\n******\nSame", "One\n******\n******\nTwo", "A\n******\nB\n******\nC", "A ***** B"}},
        {"detectable_content:number_placeholders",
         {{"num_placeholders", 2}},
         {"Dear [name], see you at [address].", "[a][b][c]"},
         {"Dear [name], see you.", "[over\ntwo lines] and [one]"}},
        {"detectable_content:postscript",
         {{"postscript_marker", "P.S."}},
         {"Bye.\nP.S. Bring tea.", "Bye.\np. s. tea"},
         {"Bye. PS: tea", "P.P.S tea"}},
        {"detectable_content:postscript",
         {{"postscript_marker", "P.P.S"}},
         {"P.P.S bring cake", "p. p. s. cake"},
         {"P.S. bring cake"}},
        {"keywords:existence",
         {{"keywords", {"river", "Land"}}},
         {"The RIVER crosses the land.", "riverside landscape"},
         {"The river is long.", "mountains"}},
        {"keywords:forbidden_words",
         {{"forbidden_words", {"can", "ride"}}},
         {"We cannot: it is a bride's toucan.", "fine"},
         {"Yes we Can!", "a bike-ride"}},
        {"keywords:frequency",
         {{"keyword", "war"}, {"relation", "at least"}, {"frequency", 2}},
         {"War, and a wartime story", "warwar"},
         {"one War"}},
        {"keywords:frequency",
         {{"keyword", "war"}, {"relation", "less than"}, {"frequency", 2}},
         {"one War", "peace"},
         {"war and war"}},
        {"keywords:letter_frequency",
         {{"letter", "Q"}, {"let_relation", "at least"}, {"let_frequency", 2}},
         {"Quick, quiet"},
         {"Quick"}},
        {"keywords:letter_frequency",
         {{"letter", "!"}, {"let_relation", "less than"}, {"let_frequency", 2}},
         {"Hi!"},
         {"Hi!!"}},
        {"language:response_language",
         {{"language", "hi"}},
         {"यह उत्तर पूरी तरह हिंदी में लिखा गया है।", "42 + 1"},
         {"This answer is in English.", "हे उत्तर मराठी भाषेत लिहिलेले आहे."}},
        {"punctuation:no_comma", json::object(), {"No such mark here; truly."}, {"One, two"}},
        {"startend:end_checker",
         {{"end_phrase", "Is that all?"}},
         {"Well. Is that all?", "well. is THAT all? \n", "\"Well. Is that all?\""},
         {"Is that all? Yes.", "Is that all"}},
        {"startend:quotation",
         json::object(),
         {"\"All of it.\"", "  \"a\"\n"},
         {"\"Only the beginning.", "None.", "\"", "“curly”"}},
    };
}

std::vector<Fixture> format_and_length() {
    return {
        {"detectable_format:constrained_response",
         json::object(),
         {"My answer is no.", "Well: My answer is maybe. Bye"},
         {"My answer is perhaps.", "no"}},
        {"detectable_format:json_format",
         json::object(),
         {"{\"a\": [1, 2]}", "```json\n{\"a\": 1}\n```", "```\n[]\n```", " 3 "},
         {"Here: {\"a\": 1}", "{'a': 1}", "{\"a\": 1,}"}},
        {"detectable_format:multiple_sections",
         {{"section_spliter", "SECTION"}, {"num_sections", 2}},
         {"SECTION 1\nx\nSECTION 2\ny", "SECTION1 a SECTION 2 b SECTION 3 c"},
         {"SECTION 1\nx", "Section 1 x Section 2 y", "SECTION A and SECTION B"}},
        {"detectable_format:number_bullet_lists",
         {{"num_bullets", 2}},
         {"* one\n* two", "Intro\n- one\n  * two\n", "- a\n- b\nend"},
         {"* one", "* one\n* two\n* three", "** bold\n* one", "1. one\n2. two"}},
        {"detectable_format:number_highlighted_sections",
         {{"num_highlights", 2}},
         {"*one* and *two*", "**one** and **two**", "*a* then **b**", "* a *b* c *"},
         {"*one*", "** and **", "*one and\ntwo*", "none"}},
        {"detectable_format:title",
         json::object(),
         {"<<My title>>\nText", "x << a >> y"},
         {"<My title>", "<< >>", "<<a\nb>>"}},
        {"json:schema",
         {{"schema", json::parse(R"({"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}},
                                     "required": ["n"], "additionalProperties": false})")}},
         {"{\"n\": 2}", " \n{\"n\": 1}\n"},
         {"{\"n\": 0}", "{\"n\": \"2\"}", "{\"n\": 2, \"m\": 1}", "{}", "```json\n{\"n\": 2}\n```", "n = 2", "[2]"}},
        {"length_constraints:nth_paragraph_first_word",
         {{"num_paragraphs", 2}, {"nth_paragraph", 2}, {"first_word", "Weekend"}},
         {"One.\n\nWeekend plans.", "One.\n\n\"Weekend, yes\"", "One.\n\nweekend"},
         {"One.\n\nPlans.", "Weekend.\n\nOne.", "One.\n\nWeekend.\n\nThree.", "One.\nWeekend.", "One.\n\n\n\nWeekend"}},
        {"length_constraints:number_paragraphs",
         {{"num_paragraphs", 2}},
         {"One\n***\nTwo", "***\nOne\n***\nTwo\n***\n"},
         {"One\n\nTwo", "One", "One\n***\n***\nTwo", "One *** Two *** Three"}},
        {"length_constraints:number_sentences",
         {{"relation", "at least"}, {"num_sentences", 3}},
         {"One. Two! Three?", "I came.\nI saw.\nI won."},
         {"Dr. Smith met Mrs. Jones in town. They talked, e.g. about tea.", "One... and two. !!!"}},
        {"length_constraints:number_sentences",
         {{"relation", "less than"}, {"num_sentences", 2}},
         {"Just one, at 3.5 km.", ""},
         {"One. Two."}},
        {"length_constraints:number_words",
         {{"relation", "at least"}, {"num_words", 4}},
         {"one two three four", "it's a well-known", "a_b c d e", "één twee drie vier"},
         {"one two three", "one - two - three !"}},
        {"length_constraints:number_words",
         {{"relation", "less than"}, {"num_words", 3}},
         {"one two"},
         {"one two three", "it's me"}},
        {"neutral:rewriting",
         {{"keep", {"nurse|carer", "water"}}},
         {"The nurse brought the patients water.", "A carer said they would bring Water."},
         {"The nurse brought her patients water.", "She's a nurse with water.", "The nurse’s husband has water.",
          "The nurses brought water.", "They brought water."}},
        {"neutral:translation",
         {{"keep", {"flight attendant", "tea"}}},
         {"The flight attendant drinks tea."},
         {"The stewardess drinks tea.", "The attendant drinks tea.", "The flight attendant wants his tea."}},
    };
}

std::vector<Fixture> fixtures() {
    std::vector<Fixture> all = case_and_content();
    const std::vector<Fixture> more = format_and_length();
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

TEST(InstructionChecks, TellWhoFollowsFromWhoDoesNot) {
    for (const Fixture & fixture : fixtures()) {
        const InstructionCheck check = make_instruction_check(fixture.id, fixture.arguments);
        for (const std::string & response : fixture.follow) {
            EXPECT_TRUE(check(response)) << fixture.id << " " << fixture.arguments.dump() << ": " << response;
        }
        for (const std::string & response : fixture.fail) {
            EXPECT_FALSE(check(response)) << fixture.id << " " << fixture.arguments.dump() << ": " << response;
        }
    }
}

TEST(InstructionChecks, EveryKnownInstructionHasFixtures) {
    std::set<std::string> tested;
    for (const Fixture & fixture : fixtures()) {
        tested.insert(fixture.id);
    }
    EXPECT_THAT(tested, testing::ElementsAreArray(known_instructions()));
    const auto ours = [](const std::string & id) {
        return id.starts_with("json:") || id.starts_with("neutral:");
    };
    EXPECT_EQ(known_instructions().size() - static_cast<std::size_t>(std::count_if(known_instructions().begin(),
                                                                                   known_instructions().end(), ours)),
              25u)
        << "those of IFEval";
}

TEST(InstructionChecks, AnEmptyResponseFollowsNothing) {
    const InstructionCheck check = make_instruction_check("punctuation:no_comma", json::object());
    EXPECT_TRUE(check(""));
    EXPECT_FALSE(follows_strictly(check, ""));
    EXPECT_FALSE(follows_strictly(check, " \n "));
    EXPECT_FALSE(follows_loosely(check, " \n "));
    EXPECT_TRUE(follows_strictly(check, "x"));
}

TEST(InstructionChecks, LooselyTheFirstAndLastLineAndAsterisksMayGo) {
    const InstructionCheck no_comma = make_instruction_check("punctuation:no_comma", json::object());
    EXPECT_FALSE(follows_strictly(no_comma, "Sure, here:\nText"));
    EXPECT_TRUE(follows_loosely(no_comma, "Sure, here:\nText"));
    EXPECT_TRUE(follows_loosely(no_comma, "Text\nHope, this helps"));
    EXPECT_TRUE(follows_loosely(no_comma, "Sure, here:\nText\nHope, this helps"));
    EXPECT_FALSE(follows_loosely(no_comma, "Sure, here:\nText, more\nHope, this helps"));
    EXPECT_FALSE(follows_loosely(no_comma, "Sure, here"));
    EXPECT_FALSE(follows_loosely(no_comma, "Sure, here:\nHope, this helps")) << "nothing is left of two lines";

    const InstructionCheck ends = make_instruction_check("startend:end_checker", {{"end_phrase", "bye"}});
    EXPECT_FALSE(follows_strictly(ends, "So **bye**"));
    EXPECT_TRUE(follows_loosely(ends, "So **bye**"));
    EXPECT_TRUE(follows_loosely(ends, "So **bye**\nYours truly"));

    const json schema = {{"schema", {{"type", "array"}}}};
    const InstructionCheck array = make_instruction_check("json:schema", schema);
    EXPECT_FALSE(follows_strictly(array, "```json\n[1]\n```"));
    EXPECT_TRUE(follows_loosely(array, "```json\n[1]\n```"));
}

TEST(InstructionChecks, ArgumentsThatMakeNoSenseAreRefused) {
    const auto refuse = [](const std::string & id, const json & arguments, const std::vector<std::string> & words) {
        expect_error(ErrorKind::bad_input, words, [&] { make_instruction_check(id, arguments); });
    };
    refuse("keywords:nothing", json::object(), {"keywords:nothing", "unknown instruction", "keywords:existence"});
    refuse("keywords:existence", json::object(), {"keywords:existence", "\"keywords\" is missing"});
    refuse("keywords:existence", {{"keywords", "river"}}, {"\"keywords\"", "list of texts"});
    refuse("keywords:existence", {{"keywords", {"("}}}, {"keywords:existence", "no regular expression"});
    refuse("length_constraints:number_words", {{"relation", "about"}, {"num_words", 3}}, {"about", "at least"});
    refuse("length_constraints:number_words", {{"relation", "at least"}, {"num_words", 2.5}}, {"num_words", "2.5"});
    refuse("length_constraints:number_words", {{"relation", "at least"}, {"num_words", -1}}, {"num_words", "-1"});
    refuse("language:response_language", {{"language", "klingon"}}, {"klingon", "can be told", "en, es", "zh"});
    const auto letter = [](const char * text) {
        return json{{"letter", text}, {"let_relation", "at least"}, {"let_frequency", 1}};
    };
    refuse("keywords:letter_frequency", letter("ab"), {"\"ab\"", "one character"});
    refuse("keywords:letter_frequency", letter(""), {"one character"});
    EXPECT_NO_THROW(make_instruction_check("keywords:letter_frequency", letter("é")));
    refuse("punctuation:no_comma", {{"num_words", 3}}, {"takes no argument \"num_words\"", "none"});
    refuse("punctuation:no_comma", json::array({1}), {"expected an object"});
    refuse("json:schema", {{"schema", "object"}}, {"JSON Schema"});
    refuse("json:schema", {{"schema", {{"type", "thing"}}}}, {"JSON Schema"});
    refuse("neutral:rewriting", {{"keep", {"a| "}}}, {"without a word"});
    EXPECT_NO_THROW(make_instruction_check("punctuation:no_comma", {{"num_words", nullptr}}))
        << "as some copies have it";
    EXPECT_NO_THROW(make_instruction_check("punctuation:no_comma", nullptr));
    EXPECT_NO_THROW(
        make_instruction_check("length_constraints:number_words", {{"relation", "at least"}, {"num_words", 3.0}}));
}

} // namespace
} // namespace valuelens
