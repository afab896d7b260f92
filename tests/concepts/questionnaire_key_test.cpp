#include <map>
#include <set>

#include "concepts/files.h"
#include "concepts/questionnaire.h"
#include "support/expect_error.h"
#include "valuelens/concept_set.h"

namespace valuelens {
namespace {

std::map<std::string, std::set<std::size_t>> lists_of(const QuestionnaireKey & key) {
    std::map<std::string, std::set<std::size_t>> lists;
    for (std::size_t i = 0; i < key.value_of.size(); ++i) {
        lists[key.value_of[i]].insert(i + 1);
    }
    return lists;
}

TEST(ShippedKeys, AreThePublishedOnes) {
    using Lists = std::map<std::string, std::set<std::size_t>>;
    const QuestionnaireKey pvq40 = shipped_questionnaire_key("pvq40");
    EXPECT_EQ(pvq40.value_of.size(), 40u);
    EXPECT_EQ(lists_of(pvq40), (Lists{{"conformity", {7, 16, 28, 36}},
                                      {"tradition", {9, 20, 25, 38}},
                                      {"benevolence", {12, 18, 27, 33}},
                                      {"universalism", {3, 8, 19, 23, 29, 40}},
                                      {"self_direction", {1, 11, 22, 34}},
                                      {"stimulation", {6, 15, 30}},
                                      {"hedonism", {10, 26, 37}},
                                      {"achievement", {4, 13, 24, 32}},
                                      {"power", {2, 17, 39}},
                                      {"security", {5, 14, 21, 31, 35}}}));
    const QuestionnaireKey pvq_rr = shipped_questionnaire_key("pvq-rr");
    EXPECT_EQ(pvq_rr.value_of.size(), 57u);
    EXPECT_EQ(lists_of(pvq_rr), (Lists{{"self_direction", {1, 23, 39, 16, 30, 56}},
                                       {"stimulation", {10, 28, 43}},
                                       {"hedonism", {3, 36, 46}},
                                       {"achievement", {17, 32, 48}},
                                       {"power", {6, 29, 41, 12, 20, 44}},
                                       {"security", {13, 26, 53, 2, 35, 50}},
                                       {"tradition", {18, 33, 40, 7, 38, 54}},
                                       {"conformity", {15, 31, 42, 4, 22, 51}},
                                       {"universalism", {8, 21, 45, 5, 37, 52, 14, 34, 57}},
                                       {"benevolence", {11, 25, 47, 19, 27, 55}},
                                       {"", {9, 24, 49}}}));
    expect_error(ErrorKind::usage, {"\"pvq21\"", "pvq-rr, pvq40"}, [] { shipped_questionnaire_key("pvq21"); });
}

TEST(ShippedKeys, NameTheTenValues) {
    const ConceptSet values = schwartz10();
    for (const char * name : {"pvq40", "pvq-rr"}) {
        for (const std::string & value : shipped_questionnaire_key(name).value_of) {
            EXPECT_TRUE(value.empty() || values.find(value)) << name << ": " << value;
        }
    }
}

class KeyFile : public testing::Test {
protected:
    void expect_refused(const std::string & contents, const std::vector<std::string> & words) const {
        const auto path = files_.write("k.toml", contents);
        expect_error(ErrorKind::bad_input, words, [&] { load_questionnaire_key(path, {"calm", "wit"}); });
    }
    FileFolder files_;
};

TEST_F(KeyFile, BadKeysAreRefused) {
    const std::string head = "name = \"k\"\nitems = 3\n";
    expect_refused("name = \"k\"\n[values]\n", {"k.toml:1", "\"items\" is missing"});
    expect_refused("name = \"k\"\nitems = 0\n[values]\n", {"k.toml:2", "\"items\"", "from 1 on"});
    expect_refused(head, {"k.toml:1", "\"values\" is missing"});
    expect_refused(head + "values = 3\n", {"k.toml:3", "write [values]"});
    expect_refused(head + "[values]\ngreed = [1]\n", {"k.toml:4", "\"greed\"", "calm, wit"});
    expect_refused(head + "[values]\ncalm = [1, 4]\n", {"k.toml:4", "item 4", "\"items\" is 3"});
    expect_refused(head + "[values]\ncalm = [1, \"2\"]\n", {"k.toml:4", "\"calm\"", "whole numbers"});
    expect_refused(head + "[values]\ncalm = [1]\nwit = [2, 1]\n", {"k.toml:5", "item \"1\"", "k.toml:4"});
    expect_refused(head + "left_out = [3]\n[values]\ncalm = [1]\n", {"k.toml:4", "item 2 is in no list"});
}

class UsersQuestionnaire : public testing::Test {
protected:
    UsersQuestionnaire()
        : key_(load_questionnaire_key(
              files_.write("key.toml",
                           "name = \"mini\"\nitems = 4\nleft_out = [3]\n[values]\ncalm = [1]\nwit = [4, 2]\n"),
              {"calm", "wit"})) {}

    void expect_four(const std::string & name, const std::string & contents) const {
        const Questionnaire questionnaire = load_questionnaire(files_.write(name, contents), key_);
        EXPECT_EQ(questionnaire.name, "mini");
        EXPECT_EQ(questionnaire.left_out, 1u);
        std::vector<std::string> items;
        for (const QuestionnaireItem & item : questionnaire.items) {
            items.push_back(item.id + " " + item.value + " " + item.text);
        }
        EXPECT_THAT(items, testing::ElementsAre("1 calm one", "2 wit two, too", "4 wit four")) << contents;
    }
    void expect_refused(const std::string & name, const std::string & contents,
                        const std::vector<std::string> & words) const {
        const auto path = files_.write(name, contents);
        expect_error(ErrorKind::bad_input, words, [&] { load_questionnaire(path, key_); });
    }
    FileFolder files_;
    QuestionnaireKey key_;
};

TEST_F(UsersQuestionnaire, TextWithOrWithoutNumbers) {
    expect_four("q.txt", "one\ntwo, too\n\nthree\nfour\n");
    expect_four("q.txt", "\xEF\xBB\xBF"
                         "1. one\r\n2) two, too\r\n(4) four\r\n3: three\r\n");
    expect_four("q", "4\tfour\n3 three\n2 two, too\n1 one");
}

TEST_F(UsersQuestionnaire, JsonAndCsv) {
    expect_four("q.jsonl",
                "{\"text\": \"one\"}\n{\"text\": \"two, too\"}\n{\"item\": \"three\"}\n{\"item\": \"four\"}\n");
    expect_four("q.json",
                R"([{"id": 4, "text": "four"}, {"id": "1", "text": "one"}, {"number": 3, "id": 3, "text": "three"},
                              {"number": 2, "text": "two, too"}])");
    expect_four("q.csv", "Number,Text\n2,\"two, too\"\n1,one\n3,three\n4,four\n");
    expect_four("q.csv", "key,item\nx,one\nx,\"two, too\"\nx,three\nx,four\n");
}

TEST_F(UsersQuestionnaire, TheCountMustBeTheKeys) {
    expect_refused("q.txt", "one\ntwo\n", {"q.txt", "holds 2 items", "the 4 of the key mini"});
    expect_refused("q.txt", "1. one\n2. two\n4. four\n", {"q.txt", "holds 3 items", "number 3 is missing"});
    expect_refused("q.txt", "", {"q.txt", "holds 0 items"});
    expect_refused("q.csv", "text\none\ntwo\n", {"q.csv", "holds 2 items"});
}

TEST_F(UsersQuestionnaire, BadRecordsAreRefused) {
    expect_refused("q.txt", "1. one\n2. two\n2. three\n4. four\n", {"q.txt:3", "item number \"2\"", "q.txt:2"});
    expect_refused("q.txt", "1. one\n2. two\n3. three\n5. five\n", {"q.txt:4", "item number 5", "1-4"});
    expect_refused("q.txt", "1. one\ntwo\n3. three\n4. four\n", {"q.txt:2", "has no number", "q.txt:1"});
    expect_refused("q.txt", "A title\n1. one\n2. two\n3. three\n4. four\n", {"q.txt:2", "has a number", "q.txt:1"});
    expect_refused("q.txt", "1.\n2. two\n3. three\n4. four\n", {"q.txt:1", "text is empty"});
    expect_refused("q.txt", "one\ntwo\nthr\xFF\nfour\n", {"q.txt:3", "UTF-8"});
    expect_refused("q.jsonl", "{\"text\": \"one\", \"id\": \"p1\"}", {"q.jsonl:1", "\"id\" is \"p1\"", "number"});
    expect_refused("q.jsonl", "{\"words\": \"one\"}", {"q.jsonl:1", "\"text\" is missing"});
    expect_refused("q.csv", "id,text\nfirst,one\n", {"q.csv:2", "\"id\" is \"first\""});
    expect_refused("q.csv", "id,words\n1,one\n", {"q.csv:1", "\"text\" or \"item\""});
    expect_refused("q.csv", "id,text\n1,\n", {"q.csv:2", "text is empty"});
}

} // namespace
} // namespace valuelens
