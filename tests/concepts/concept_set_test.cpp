#include "valuelens/concept_set.h"

#include "concepts/files.h"
#include "support/expect_error.h"

namespace valuelens {
namespace {

constexpr const char * head = "name = \"set\"\ntitle = \"A set\"\nsource = \"A test.\"\n";

std::string value_entry(const std::string & id) {
    return "[[value]]\nid = \"" + id + "\"\nname = \"Name of " + id + "\"\ndefinition = \"what " + id + " means\"\n";
}

class ConceptSetFile : public testing::Test {
protected:
    ConceptSet load(const std::string & contents) const { return load_concept_set(files_.write("set.toml", contents)); }

    void expect_refused(const std::string & contents, const std::vector<std::string> & words) const {
        expect_error(ErrorKind::bad_input, words, [&] { load(contents); });
    }

    FileFolder files_;
};

TEST_F(ConceptSetFile, EveryFieldIsRead) {
    const ConceptSet set = load(head + value_entry("care") +
                                "short = \"being kind\"\nangle = 36\nwedge = 40.5\ndomain = \"self-transcendence\"\n");
    EXPECT_EQ(set.name, "set");
    EXPECT_EQ(set.title, "A set");
    EXPECT_EQ(set.source, "A test.");
    ASSERT_EQ(set.concepts.size(), 1u);
    const Concept & care = set.concepts[0];
    EXPECT_EQ(care.id, "care");
    EXPECT_EQ(care.name, "Name of care");
    EXPECT_EQ(care.definition, "what care means");
    EXPECT_EQ(care.short_name, "being kind");
    EXPECT_EQ(care.domain, "self-transcendence");
    EXPECT_EQ(care.angle, 36.0);
    EXPECT_EQ(care.wedge, 40.5);
}

TEST_F(ConceptSetFile, OptionalFieldsMayBeAbsent) {
    const ConceptSet set = load(head + value_entry("care") + value_entry("fame"));
    ASSERT_EQ(set.concepts.size(), 2u);
    EXPECT_EQ(set.concepts[1].short_name, "Name of fame");
    EXPECT_TRUE(set.concepts[1].domain.empty());
    EXPECT_FALSE(set.concepts[1].angle.has_value());
    EXPECT_FALSE(set.concepts[1].wedge.has_value());
    EXPECT_EQ(set.find("fame"), std::size_t{1});
    EXPECT_EQ(set.find("greed"), std::nullopt);
}

TEST_F(ConceptSetFile, ByteOrderMarkAndWindowsLineBreaksAreFine) {
    EXPECT_EQ(load("\xEF\xBB\xBFname = \"set\"\r\n[[value]]\r\nid = \"a\"\r\nname = \"A\"\r\ndefinition = \"d\"\r\n")
                  .concepts[0]
                  .name,
              "A");
}

TEST_F(ConceptSetFile, BadFilesAreRefusedByLine) {
    expect_refused("name = \"set\"\nname \"x\"\n", {"set.toml:2", "not valid TOML"});
    expect_refused("", {"set.toml:1", "\"name\" is missing"});
    expect_refused(head, {"set.toml:1", "no [[value]]"});
    expect_refused("name = \"set\"\nvalue = 3\n", {"set.toml:2", "array of tables"});
    expect_refused("name = \"set\"\nvalue = [1, 2]\n", {"set.toml:2", "array of tables"});
    expect_refused("name = 7\n" + value_entry("a"), {"set.toml:1", "\"name\" must be a string"});
    expect_refused("name = \"set\"\ntitel = \"x\"\n" + value_entry("a"),
                   {"set.toml:2", "unknown key \"titel\"", "title"});
    expect_refused(head + value_entry("a") + "angel = 3\n", {"set.toml:8", "unknown key \"angel\"", "angle"});
    expect_refused(head + value_entry("a") + "angle = \"east\"\n", {"set.toml:8", "\"angle\"", "degrees"});
    expect_refused(head + value_entry("a") + "angle = nan\n", {"set.toml:8", "\"angle\"", "degrees"});
    expect_refused(head + value_entry("Care"), {"set.toml:5", "\"Care\"", "a-z"});
    expect_refused(head + value_entry(""), {"set.toml:5", "\"id\" is empty"});
    expect_refused(head + value_entry("a") + value_entry("a"), {"set.toml:9", "\"a\" was used before", "line 5"});
    expect_refused(head + std::string("[[value]]\nid = \"a\"\nname = \"A\"\n"),
                   {"set.toml:4", "\"definition\" is missing"});
    expect_refused("name = \"\xFF\"\n", {"set.toml:1", "not valid TOML"});
}

TEST_F(ConceptSetFile, MissingFileAndFolderAreNamed) {
    expect_error(ErrorKind::bad_input, {"none.toml", "cannot be read"},
                 [&] { load_concept_set(files_ / "none.toml"); });
    expect_error(ErrorKind::bad_input, {"folder"}, [&] { load_concept_set(files_.path()); });
}

TEST(Schwartz10, HoldsTheTenValuesInTheOrderOfTheMethod) {
    const ConceptSet set = schwartz10();
    std::vector<std::string> ids;
    for (const Concept & concept_ : set.concepts) {
        ids.push_back(concept_.id);
    }
    EXPECT_THAT(ids, testing::ElementsAre("self_direction", "stimulation", "hedonism", "achievement", "power",
                                          "security", "conformity", "tradition", "benevolence", "universalism"));
}

TEST(Schwartz10, AnglesFollowTheCircle) {
    const std::vector<std::string> circle = {"universalism", "benevolence",   "tradition",   "conformity",
                                             "security",     "power",         "achievement", "hedonism",
                                             "stimulation",  "self_direction"};
    const ConceptSet set = schwartz10();
    for (std::size_t i = 0; i < circle.size(); ++i) {
        const Concept & concept_ = set.concepts.at(set.find(circle[i]).value());
        EXPECT_EQ(concept_.angle, 36.0 * static_cast<double>(i)) << circle[i];
        // Tradition and conformity share a wedge, so everything after conformity comes one wedge earlier.
        const std::size_t wedge = i <= 2 ? i : i - 1;
        EXPECT_EQ(concept_.wedge, 40.0 * static_cast<double>(wedge)) << circle[i];
    }
}

TEST(Schwartz10, EveryValueHasItsHigherOrderDomain) {
    for (const Concept & concept_ : schwartz10().concepts) {
        EXPECT_FALSE(concept_.domain.empty()) << concept_.id;
        EXPECT_NE(concept_.short_name, concept_.name) << concept_.id;
    }
}

TEST(ExampleConcepts, ThePersonasLoad) {
    const ConceptSet set = load_concept_set(std::filesystem::path(VALUELENS_SOURCE_DIR) / "examples/personas.toml");
    EXPECT_EQ(set.concepts.size(), 3u);
}

} // namespace
} // namespace valuelens
