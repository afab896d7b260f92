#include "concepts/value_portrait.h"

#include <cmath>

#include "concepts/files.h"
#include "support/expect_error.h"

namespace valuelens {
namespace {

constexpr std::size_t self_direction = 0;
constexpr std::size_t power = 4;

class ValuePortraitFile : public testing::Test {
protected:
    void expect_refused(const std::string & contents, const std::vector<std::string> & words) const {
        const auto path = files_.write("v.json", contents);
        expect_error(ErrorKind::bad_input, words, [&] { load_value_portrait(path, schwartz10()); });
    }
    FileFolder files_;
};

TEST_F(ValuePortraitFile, RepliesComeWithACorrelationForEachConcept) {
    const ValuePortrait portrait = load_value_portrait(files_.write("v.json", R"([
            {"content": {"title": "Help", "text": "What now?"}, "portrait_id": 12, "outputs": [
                {"content": "Lead.", "id": 1, "correlations": [["Power", 0.4], ["Self_Direction", -0.1], ["Greed", 0.2]]},
                {"content": "Wait.", "id": 2, "correlations": [["Greed", 0.1]]},
                {"content": "Lead.", "id": 3, "correlations": []}]},
            {"content": {"title": null, "text": "And then?"}, "outputs": [{"content": "Lead.", "correlations": []}]}])"),
                                                       schwartz10());
    ASSERT_EQ(portrait.responses.size(), 3u);
    EXPECT_EQ(portrait.queries, 2u);
    EXPECT_EQ(portrait.duplicates, 1u);
    EXPECT_EQ(portrait.unmatched_tags, 2u);
    EXPECT_THAT(portrait.unmatched, testing::ElementsAre("Greed"));
    EXPECT_EQ(portrait.without_tag.size(), 8u);
    const PortraitResponse & first = portrait.responses[0];
    EXPECT_EQ(first.id, "12/1");
    EXPECT_EQ(first.query_id, "12");
    EXPECT_EQ(first.query, "Help\n\nWhat now?");
    EXPECT_EQ(first.response, "Lead.");
    ASSERT_EQ(first.correlations.size(), 10u);
    EXPECT_EQ(first.correlations[power], 0.4);
    EXPECT_EQ(first.correlations[self_direction], -0.1);
    EXPECT_TRUE(std::isnan(first.correlations[1]));
    EXPECT_TRUE(std::isnan(portrait.responses[1].correlations[power]));
    EXPECT_EQ(portrait.responses[2].id, "n1/n0");
    EXPECT_EQ(portrait.responses[2].query, "And then?");
}

TEST_F(ValuePortraitFile, BadRecordsAreRefused) {
    const auto file = [](const std::string & outputs) {
        return R"([{"content": {"title": null, "text": "q"}, "portrait_id": 1, "outputs": )" + outputs + "}]";
    };
    const auto reply = [&](const std::string & tags) {
        return file(R"([{"content": "r", "id": 1, "correlations": )" + tags + "}]");
    };
    expect_refused(R"([{"content": {"title": null, "text": "q"}}])", {"v.json: element 0", "\"outputs\" is missing"});
    expect_refused(R"([{"outputs": []}])", {"v.json: element 0", "\"content\" is missing"});
    expect_refused(file("[]"), {"v.json: element 0", "\"outputs\""});
    expect_refused(file("[3]"), {"v.json: element 0: reply 0", "number"});
    expect_refused(file(R"([{"content": " ", "correlations": []}])"), {"reply 0", "\"content\" is empty"});
    expect_refused(file(R"([{"content": "r"}])"), {"reply 0", "\"correlations\" is missing"});
    expect_refused(reply(R"([["Power"]])"), {"reply 0", "a name and a number"});
    expect_refused(reply(R"([["Power", 1.5]])"), {"reply 0", "\"Power\" is 1.5", "-1 to 1"});
    expect_refused(reply(R"([["Power", 0.5], ["POWER", 0.1]])"), {"reply 0", "\"POWER\" is given twice"});
    expect_refused(reply(R"([["Greed", 0.5]])"), {"v.json", "any concept of schwartz10", "Greed"});
    expect_refused(
        file(R"([{"content": "r", "id": 1, "correlations": []}, {"content": "s", "id": 1, "correlations": []}])"),
        {"reply 1", "id \"1/1\""});
}

TEST(ValuePortraitData, TheRealFileLoads) {
    const auto file = shared_data / "value-portrait" / "query-response-tagged.json";
    if (!std::filesystem::exists(file)) {
        GTEST_SKIP() << file << " is absent";
    }
    const ValuePortrait portrait = load_value_portrait(file, schwartz10());
    EXPECT_EQ(portrait.responses.size(), 520u);
    EXPECT_EQ(portrait.queries, 104u);
    EXPECT_EQ(portrait.duplicates, 0u);
    EXPECT_EQ(portrait.unmatched_tags, 0u);
    EXPECT_TRUE(portrait.without_tag.empty());
    // Counted in the file by another route: 64 replies whose correlation with Power is above 0.3, 11 with
    // Self_Direction.
    std::size_t powerful = 0;
    std::size_t self_directed = 0;
    for (const PortraitResponse & response : portrait.responses) {
        powerful += response.correlations[power] > 0.3 ? 1 : 0;
        self_directed += response.correlations[self_direction] > 0.3 ? 1 : 0;
    }
    EXPECT_EQ(powerful, 64u);
    EXPECT_EQ(self_directed, 11u);
    EXPECT_EQ(portrait.responses[0].correlations[power], 0.19548528461308767);
}

TEST(ValuePortraitData, AFileOfQueriesAloneIsRefused) {
    const auto file = shared_data / "value-portrait" / "query-LMSYS.json";
    if (!std::filesystem::exists(file)) {
        GTEST_SKIP() << file << " is absent";
    }
    expect_error(ErrorKind::bad_input, {"query-LMSYS.json: element 0", "\"outputs\"", "query-response-tagged.json"},
                 [&] { load_value_portrait(file, schwartz10()); });
}

} // namespace
} // namespace valuelens
