#include "serve/text_stream.h"

#include <gtest/gtest.h>

#include "base/utf8.h"

namespace valuelens {
namespace {

/// What comes out, piece by piece.
std::vector<std::string> pieces(TextStream & stream, const std::vector<std::string> & tokens) {
    std::vector<std::string> out;
    for (const std::string & token : tokens) {
        const bool go_on = stream.add(token);
        out.push_back(stream.take());
        if (!go_on) {
            return out;
        }
    }
    stream.end();
    out.push_back(stream.take());
    return out;
}

TEST(TextStream, GivesOutWhatComes) {
    TextStream stream({});
    EXPECT_EQ(pieces(stream, {"Hello", ",", " you"}), (std::vector<std::string>{"Hello", ",", " you", ""}));
    EXPECT_EQ(stream.text(), "Hello, you");
}

TEST(TextStream, ACharacterThatSpansTokensComesWhole) {
    TextStream stream({});
    EXPECT_EQ(pieces(stream, {"a\xE2", "\x82",
                              "\xAC"
                              "b",
                              "\xF0\x9F"}),
              (std::vector<std::string>{"a", "",
                                        "\xE2\x82\xAC"
                                        "b",
                                        "", ""}))
        << "the one that is cut off at the end is dropped";
    TextStream broken({});
    for (const std::string & piece : pieces(broken, {"a\xFF", "\x80 b"})) {
        EXPECT_TRUE(is_valid_utf8(piece)) << piece;
    }
    EXPECT_EQ(broken.text(), "a\xEF\xBF\xBD\xEF\xBF\xBD b");
}

TEST(TextStream, EndsBeforeAStopStringThatSpansTokens) {
    TextStream stream({"STOP"});
    EXPECT_EQ(pieces(stream, {"one S", "T", "OP two", "three"}), (std::vector<std::string>{"one ", "", ""}));
    EXPECT_TRUE(stream.stopped());
    EXPECT_EQ(stream.text(), "one ");
    EXPECT_FALSE(stream.add("more"));
    EXPECT_EQ(stream.tokens_out(), 1u) << "of the tokens only the first has text before the stop string";
}

TEST(TextStream, WhatOnlyBeganLikeAStopStringIsTextAfterAll) {
    TextStream stream({"\n\nUser:", "END"});
    EXPECT_EQ(pieces(stream, {"a\n", "\nUs", "e", " E", "N"}),
              (std::vector<std::string>{"a", "", "", "\n\nUse ", "", "EN"}));
    EXPECT_FALSE(stream.stopped());
}

TEST(TextStream, TheFirstOfSeveralStopStringsCounts) {
    TextStream stream({"late", "la"});
    pieces(stream, {"x la", "te"});
    EXPECT_EQ(stream.text(), "x ");
    TextStream same_token({"b", "a"});
    pieces(same_token, {"xaxb"});
    EXPECT_EQ(same_token.text(), "x");
    TextStream unicode({"\xE2\x82\xAC"});
    EXPECT_EQ(pieces(unicode, {"5 \xE2", "\x82", "\xAC!"}), (std::vector<std::string>{"5 ", "", ""}));
}

TEST(TextStream, TokensAreOutWhenTheirTextIs) {
    TextStream stream({"END"});
    stream.add("a");
    EXPECT_EQ(stream.tokens_out(), 1u);
    stream.add("E");
    EXPECT_EQ(stream.tokens_out(), 1u);
    stream.add("N");
    EXPECT_EQ(stream.tokens_out(), 1u);
    stream.add("e");
    EXPECT_EQ(stream.tokens_out(), 4u);
    EXPECT_EQ(stream.token_begin(3), 3u);
    stream.end();
    EXPECT_EQ(stream.tokens_out(), 4u);
}

} // namespace
} // namespace valuelens
