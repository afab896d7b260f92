#include "concepts/dilemmas.h"

#include <map>
#include <set>

#include "concepts/files.h"
#include "support/expect_error.h"
#include "valuelens/concept_set.h"

namespace valuelens {
namespace {

TEST(ShippedDilemmas, SpreadEvenlyOverValuesAndPairs) {
    const DilemmaSet set = shipped_dilemmas();
    EXPECT_EQ(set.dilemmas.size(), 130u);
    EXPECT_EQ(set.duplicates, 0u);
    const ConceptSet values = schwartz10();
    std::map<std::string, int> per_value;
    std::map<std::set<std::string>, int> per_pair;
    for (const Dilemma & dilemma : set.dilemmas) {
        ASSERT_EQ(dilemma.sides.size(), 2u) << dilemma.id;
        std::set<std::string> pair;
        for (const DilemmaSide & side : dilemma.sides) {
            EXPECT_TRUE(values.find(side.value)) << dilemma.id << ": " << side.value;
            ++per_value[side.value];
            pair.insert(side.value);
        }
        EXPECT_EQ(pair.size(), 2u) << dilemma.id;
        ++per_pair[pair];
    }
    EXPECT_EQ(per_value.size(), 10u);
    for (const auto & [value, count] : per_value) {
        EXPECT_GE(count, 20) << value;
    }
    EXPECT_EQ(per_pair.size(), 45u);
    for (const auto & [pair, count] : per_pair) {
        EXPECT_GE(count, 2) << *pair.begin() << " and " << *pair.rbegin();
    }
}

class DilemmaFile : public testing::Test {
protected:
    void expect_refused(const std::string & name, const std::string & contents,
                        const std::vector<std::string> & words) const {
        const auto path = files_.write(name, contents);
        expect_error(ErrorKind::bad_input, words, [&] { load_dilemmas(path, {"calm", "wit"}); });
    }
    FileFolder files_;
};

TEST_F(DilemmaFile, JsonLines) {
    const std::string one =
        R"("situation": "I am stuck.", "question": "Joke?", "values": ["wit", "calm"], "sides": {"calm": "Wait.", "wit": "Joke."}})";
    const DilemmaSet set =
        load_dilemmas(files_.write("d.jsonl", "{\"id\": \"a\", " + one + "\n{\"id\": \"b\", " + one), {"calm", "wit"});
    ASSERT_EQ(set.dilemmas.size(), 1u);
    EXPECT_EQ(set.duplicates, 1u);
    EXPECT_EQ(set.dilemmas[0].id, "a");
    EXPECT_EQ(set.dilemmas[0].prompt(), "I am stuck. Joke?");
    EXPECT_EQ(set.dilemmas[0].sides[0].value, "wit");
    EXPECT_EQ(set.dilemmas[0].sides[0].text, "Joke.");
    EXPECT_EQ(set.dilemmas[0].sides[1].text, "Wait.");
}

TEST_F(DilemmaFile, BadRecordsAreRefused) {
    const std::string start = R"({"id": "a", "situation": "s", "question": "q?")";
    const std::string sides = R"("sides": {"calm": "c", "wit": "w"}})";
    expect_refused("d.jsonl", start + "}", {"d.jsonl:1", "\"values\"", "two different values"});
    expect_refused("d.jsonl", start + R"(, "values": ["wit"], )" + sides, {"d.jsonl:1", "two different values"});
    expect_refused("d.jsonl", start + R"(, "values": ["wit", "wit"], )" + sides, {"d.jsonl:1", "two different values"});
    expect_refused("d.jsonl", start + R"(, "values": ["wit", "greed"], )" + sides,
                   {"d.jsonl:1", "\"greed\"", "calm, wit"});
    expect_refused("d.jsonl", start + R"(, "values": ["wit", "calm"]})", {"d.jsonl:1", "\"sides\""});
    expect_refused("d.jsonl", start + R"(, "values": ["wit", "calm"], "sides": {"calm": "c", "x": "w"}})",
                   {"d.jsonl:1: \"sides\"", "\"wit\" is missing"});
    expect_refused("d.jsonl", start + R"(, "values": ["wit", "calm"], "sides": {"calm": "c", "wit": " "}})",
                   {"d.jsonl:1: \"sides\"", "\"wit\" is empty"});
    expect_refused("d.jsonl", R"({"id": "a", "situation": "", "question": "q?"})",
                   {"d.jsonl:1", "\"situation\" is empty"});
    const std::string rest = R"(, "values": ["wit", "calm"], )" + sides;
    expect_refused("d.jsonl", start + rest + "\n" + R"({"id": "a", "situation": "t", "question": "q?")" + rest,
                   {"d.jsonl:2", "id \"a\"", "d.jsonl:1"});
}

TEST_F(DilemmaFile, DailyDilemmasRepeatASituationForEachAction) {
    const DilemmaSet set = load_dilemmas(
        files_.write("d.csv", "idx,dilemma_idx,dilemma_situation,action\n0,7,\"You wait, and wait. Go?\",go\n"
                              "1,7,\"You wait, and wait. Go?\",stay\n2,8,Other?,go\n"),
        {"calm"});
    ASSERT_EQ(set.dilemmas.size(), 2u);
    EXPECT_EQ(set.duplicates, 1u);
    EXPECT_EQ(set.dilemmas[0].id, "7");
    EXPECT_EQ(set.dilemmas[0].prompt(), "You wait, and wait. Go?");
    EXPECT_TRUE(set.dilemmas[0].sides.empty());
}

TEST_F(DilemmaFile, BadTablesAreRefused) {
    expect_refused("d.csv", "idx,situation\n1,x\n", {"d.csv:1", "\"dilemma_situation\""});
    expect_refused("d.csv", "number,dilemma_situation\n1,x\n", {"d.csv:1", "\"idx\""});
    expect_refused("d.csv", "idx,dilemma_situation\n1,\n", {"d.csv:2", "empty"});
    expect_refused("d.csv", "idx,dilemma_situation\n1,x\n1,y\n", {"d.csv:3", "id \"1\"", "d.csv:2"});
}

TEST(DailyDilemmas, TheRealFileLoads) {
    const auto file = shared_data / "daily-dilemmas" / "dilemma.csv";
    if (!std::filesystem::exists(file)) {
        GTEST_SKIP() << file << " is absent";
    }
    const DilemmaSet set = load_dilemmas(file, {});
    EXPECT_EQ(set.dilemmas.size(), 1360u);
    EXPECT_EQ(set.duplicates, 0u);
    EXPECT_EQ(set.dilemmas[0].id, "55");
    EXPECT_THAT(set.dilemmas[0].prompt(), testing::StartsWith("You're a project manager in a marketing firm."));
    EXPECT_THAT(set.dilemmas[0].prompt(), testing::EndsWith("report this to your superior?"));
}

} // namespace
} // namespace valuelens
