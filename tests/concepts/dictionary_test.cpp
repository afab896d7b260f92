#include "concepts/dictionary.h"

#include "concepts/files.h"
#include "support/expect_error.h"

namespace valuelens {
namespace {

class DictionaryFile : public testing::Test {
protected:
    ValueDictionary load(const std::string & contents) const {
        return load_value_dictionary(files_.write("d.json", contents), schwartz10());
    }
    void expect_refused(const std::string & contents, const std::vector<std::string> & words) const {
        expect_error(ErrorKind::bad_input, words, [&] { load(contents); });
    }
    FileFolder files_;
};

TEST_F(DictionaryFile, NamesMatchWhateverTheirCaseAndPunctuation) {
    const ValueDictionary dictionary = load(
        R"({"self direction": ["Free", "choos*", "free", " own way ", "", "*"], "POWER": ["\u00c9lite"], "Greed": ["gold"]})");
    ASSERT_EQ(dictionary.words.size(), 10u);
    EXPECT_THAT(dictionary.words[0], testing::ElementsAre("choos*", "free", "own way"));
    EXPECT_THAT(dictionary.words[4], testing::ElementsAre("\u00e9lite"));
    EXPECT_THAT(dictionary.unmatched, testing::ElementsAre("Greed"));
    EXPECT_EQ(dictionary.missing.size(), 8u);
    EXPECT_EQ(dictionary.blank, 2u);
}

TEST_F(DictionaryFile, BadFilesAreRefused) {
    expect_refused("[1]", {"d.json", "array"});
    expect_refused("", {"d.json", "not valid JSON"});
    expect_refused(R"({"Power": "strong"})", {"d.json: \"Power\"", "expected an array"});
    expect_refused(R"({"Power": ["strong", 5]})", {"d.json: \"Power\"", "element 1", "number"});
    expect_refused(R"({"Power": ["a"], "power": ["b"]})", {"d.json: \"power\"", "\"Power\"", "keep one"});
    expect_refused(R"({"Greed": ["gold"]})", {"d.json", "no words for any concept", "schwartz10"});
}

TEST(ValueDictionaries, TheRealOnesCoverAllTenValues) {
    const auto folder = shared_data / "value-dictionaries";
    if (!std::filesystem::exists(folder)) {
        GTEST_SKIP() << folder << " is absent";
    }
    for (const char * name : {"en.json", "fr.json"}) {
        const ValueDictionary dictionary = load_value_dictionary(folder / name, schwartz10());
        EXPECT_TRUE(dictionary.unmatched.empty());
        EXPECT_TRUE(dictionary.missing.empty());
    }
    const ValueDictionary english = load_value_dictionary(folder / "en.json", schwartz10());
    EXPECT_THAT(english.words[3], testing::Contains("accomplish"));
}

} // namespace
} // namespace valuelens
