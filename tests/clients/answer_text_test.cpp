#include "clients/answer_text.h"

#include <gtest/gtest.h>

namespace valuelens {
namespace {

TEST(AnswerText, IsWhatRemainsWithoutThinkBlockFenceAndBlanks) {
    EXPECT_EQ(answer_text("  7\n"), "7");
    EXPECT_EQ(answer_text("<think>6? 7?</think>\n\n7"), "7");
    EXPECT_EQ(answer_text("```json\n{\"a\": 1}\n```"), "{\"a\": 1}");
    EXPECT_EQ(answer_text("``` x ```"), "x");
    EXPECT_EQ(answer_text(""), "");
    EXPECT_EQ(answer_text("<think>never ends"), std::nullopt);
}

} // namespace
} // namespace valuelens
