#include <set>

#include "concepts/files.h"
#include "support/expect_error.h"
#include "valuelens/concept_set.h"

namespace valuelens {
namespace {

Concept caring() {
    Concept concept_;
    concept_.id = "care";
    concept_.name = "Care";
    concept_.definition = "being kind ({value} in braces stays)";
    return concept_;
}

TEST(PromptTemplate, FillsEverySlotOnce) {
    const PromptTemplate both{"t", "{value} means {definition}. Live {value}!"};
    EXPECT_EQ(both.fill(caring()), "Care means being kind ({value} in braces stays). Live Care!");
}

TEST(PromptTemplate, OtherBracesAreText) {
    const PromptTemplate braces{"t", "{ {value} } {{value}} {} {a b} {value"};
    EXPECT_EQ(braces.fill(caring()), "{ Care } {Care} {} {a b} {value");
}

class TemplateFile : public testing::Test {
protected:
    std::vector<PromptTemplate> load(const std::string & contents) const {
        return load_templates(files_.write("templates.jsonl", contents));
    }
    void expect_refused(const std::string & contents, const std::vector<std::string> & words) const {
        expect_error(ErrorKind::bad_input, words, [&] { load(contents); });
    }
    FileFolder files_;
};

TEST_F(TemplateFile, LinesAreReadInOrder) {
    const auto templates =
        load("{\"id\": \"a\", \"text\": \"Be {value}.\"}\n\n{\"id\": \"b\", \"text\": \"{value}: {definition}\"}");
    ASSERT_EQ(templates.size(), 2u);
    EXPECT_EQ(templates[0].id, "a");
    EXPECT_EQ(templates[1].text, "{value}: {definition}");
}

TEST_F(TemplateFile, BadLinesAreRefused) {
    const std::string good = "{\"id\": \"a\", \"text\": \"Be {value}.\"}\n";
    expect_refused(good + "{\"id\": \"b\", \"text\": \"Be {valeu}.\"}", {"templates.jsonl:2", "{valeu}", "{value}"});
    expect_refused(good + "{\"id\": \"b\", \"text\": \"{definition}\"}", {"templates.jsonl:2", "no {value}"});
    expect_refused(good + "{\"id\": \"a\", \"text\": \"Live {value}.\"}",
                   {"templates.jsonl:2", "id \"a\"", "templates.jsonl:1"});
    expect_refused(good + "{\"id\": \"b\", \"text\": \"Be {value}.\"}",
                   {"templates.jsonl:2", "text \"Be {value}.\"", "templates.jsonl:1"});
    expect_refused(good + "{\"id\": \"b\"}", {"templates.jsonl:2", "\"text\" is missing"});
    expect_refused(good + "{\"id\": \"b\", \"text\": 5}", {"templates.jsonl:2", "\"text\" is a JSON number"});
    expect_refused(good + "{\"id\": \"b\", ", {"templates.jsonl:2", "not valid JSON"});
    expect_refused("", {"templates.jsonl", "is empty"});
}

TEST(ShippedTemplates, AreFiveHundredDistinctOnesWithBothSlots) {
    const std::vector<PromptTemplate> templates = shipped_templates();
    ASSERT_EQ(templates.size(), 500u);
    std::set<std::string> texts;
    for (const PromptTemplate & template_ : templates) {
        EXPECT_NE(template_.text.find("{value}"), std::string::npos) << template_.id;
        EXPECT_NE(template_.text.find("{definition}"), std::string::npos) << template_.id;
        texts.insert(template_.text);
    }
    EXPECT_EQ(texts.size(), 500u);
}

} // namespace
} // namespace valuelens
