#include "base/text.h"

#include <gtest/gtest.h>

namespace valuelens {
namespace {

TEST(Text, OnlyAsciiWhiteSpaceIsTrimmed) {
    EXPECT_EQ(trimmed(" \t\r\n\v\fa b\n"), "a b");
    EXPECT_EQ(trimmed("\xC2\xA0"
                      "a"),
              "\xC2\xA0"
              "a");
    EXPECT_EQ(trimmed(" \n"), "");
    EXPECT_TRUE(is_blank(" \v\f\n"));
    EXPECT_TRUE(is_blank(""));
    EXPECT_FALSE(is_blank(" ."));
}

TEST(Text, OnlyAsciiLettersAreLowered) {
    EXPECT_EQ(lower_ascii("AZ[@ az\xC3\x84"), "az[@ az\xC3\x84");
}

} // namespace
} // namespace valuelens
