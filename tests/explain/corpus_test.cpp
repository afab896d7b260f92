#include "explain/corpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"

namespace valuelens {
namespace {

using testing::ElementsAre;
using testing::EndsWith;

class CorpusTest : public testing::Test {
protected:
    Corpus corpus(const std::string & name, const std::string & contents) const {
        write_file(folder_ / name, contents);
        return {{folder_ / name}, {}};
    }
    static std::vector<std::string> texts(const Corpus & corpus, std::vector<std::string> * places = nullptr) {
        std::vector<std::string> found;
        corpus.for_each([&](const CorpusDocument & document) {
            found.emplace_back(document.text);
            if (places != nullptr) {
                places->push_back(document.where);
            }
        });
        return found;
    }

    TempFolder folder_;
};

TEST_F(CorpusTest, JsonLinesGiveTheirTexts) {
    std::vector<std::string> places;
    const Corpus it =
        corpus("a.jsonl", "{\"text\": \"one\\ntwo\", \"id\": 3}\n\n{\"text\": \"\"}\n{\"text\": \"three\"}\n");
    EXPECT_THAT(texts(it, &places), ElementsAre("one\ntwo", "three"));
    EXPECT_THAT(places, ElementsAre(EndsWith("a.jsonl:1"), EndsWith("a.jsonl:4")));
}

TEST_F(CorpusTest, PlainTextIsCutAtBlankLines) {
    std::vector<std::string> places;
    const Corpus it = corpus("a.txt", "\n\none\ntwo\r\n \nthree\n");
    EXPECT_THAT(texts(it, &places), ElementsAre("one\ntwo", "three"));
    EXPECT_THAT(places, ElementsAre(EndsWith("a.txt:3"), EndsWith("a.txt:6")));
}

TEST_F(CorpusTest, WhatCannotBeReadIsNamedByItsLine) {
    const auto reads = [](const Corpus & it) {
        texts(it);
    };
    expect_error(ErrorKind::bad_input, {"b.jsonl:2", "not a JSON object", "\"text\""},
                 [&] { reads(corpus("b.jsonl", "{\"text\": \"x\"}\n[1]\n")); });
    expect_error(ErrorKind::bad_input, {"c.jsonl:1", "\"text\"", "missing"},
                 [&] { reads(corpus("c.jsonl", "{\"txt\": \"x\"}\n")); });
    expect_error(ErrorKind::bad_input, {"d.txt:2", "UTF-8"}, [&] { reads(corpus("d.txt", "fine\nno\xff\n")); });
    expect_error(ErrorKind::bad_input, {"e.txt", "holds no text", "blank lines"},
                 [&] { reads(corpus("e.txt", "\n\n")); });
    expect_error(ErrorKind::bad_input, {"f.jsonl", "holds no text", "one a line"},
                 [&] { reads(corpus("f.jsonl", "{\"text\": \" \"}\n")); });
    expect_error(ErrorKind::bad_input, {"absent.txt"}, [&] { reads({{folder_ / "absent.txt"}, {}}); });
}

TEST_F(CorpusTest, ItsIdentityIsThatOfWhatItGives) {
    EXPECT_EQ(corpus("a.txt", "one\n\ntwo\n").contents().documents, 2u);
    const std::string one = corpus("a.txt", "one\n").contents().identity;
    EXPECT_EQ(one, corpus("b.txt", "one\n").contents().identity);
    EXPECT_NE(one, corpus("a.txt", "two\n").contents().identity);
    EXPECT_EQ(one, corpus("a.jsonl", "{\"text\": \"one\", \"id\": 7}\n").contents().identity);
    EXPECT_NE(corpus("a.txt", "one\n\ntwo\n").contents().identity, corpus("a.txt", "one\ntwo\n").contents().identity);
    EXPECT_NE(corpus("a.txt", "1\n\n11\n").contents().identity, corpus("a.txt", "11\n\n1\n").contents().identity);
}

TEST_F(CorpusTest, ItsIdentityTakesReadingItAll) {
    expect_error(ErrorKind::bad_input, {"a.jsonl:2", "not a JSON object"},
                 [&] { corpus("a.jsonl", "{\"text\": \"x\"}\n{\"text\": \n").contents().identity; });
}

} // namespace
} // namespace valuelens
