#include "concepts/text_slots.h"

#include <gtest/gtest.h>

namespace valuelens {
namespace {

TEST(TextSlots, AreWordsInBraces) {
    const auto slots = find_slots("{a} {} {two words} {{b_2}} {open");
    ASSERT_EQ(slots.size(), 2u);
    EXPECT_EQ(slots[0].name, "a");
    EXPECT_EQ(slots[1].name, "b_2");
}

TEST(TextSlots, AFillingIsNotFilledAgain) {
    EXPECT_EQ(fill_slots("{a}-{b}-{c}-{a}", {{"a", "{b}"}, {"b", "x"}}), "{b}-x-{c}-{b}");
    EXPECT_EQ(fill_slots("plain", {}), "plain");
}

} // namespace
} // namespace valuelens
