#include "base/utf8.h"

#include <gtest/gtest.h>

namespace valuelens {
namespace {

TEST(Utf8, KeepsWellFormedText) {
    const std::string text = "na\xC3\xAFve \xE4\xBD\xA0\xE5\xA5\xBD \xF0\x9F\x99\x82";
    EXPECT_TRUE(is_valid_utf8(text));
    EXPECT_EQ(to_valid_utf8(text), text);
}

TEST(Utf8, DropsACharacterCutOffAtTheEnd) {
    EXPECT_FALSE(is_valid_utf8("ok \xF0\x9F\x99"));
    EXPECT_EQ(to_valid_utf8("ok \xF0\x9F\x99"), "ok ");
}

TEST(Utf8, ReplacesMalformedBytes) {
    EXPECT_EQ(to_valid_utf8("a\xFF"
                            "b"),
              "a\xEF\xBF\xBD"
              "b");
    EXPECT_FALSE(is_valid_utf8("\xC0\xAF"));     // overlong
    EXPECT_FALSE(is_valid_utf8("\xED\xA0\x80")); // surrogate
}

} // namespace
} // namespace valuelens
