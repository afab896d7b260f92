#include "clients/api_key.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "support/expect_error.h"

namespace valuelens {
namespace {

TEST(ApiKey, IsWhatTheVariableHolds) {
    ::setenv("VALUELENS_TEST_KEY", "abc", 1);
    EXPECT_EQ(api_key("VALUELENS_TEST_KEY"), "abc");
    ::unsetenv("VALUELENS_TEST_KEY");
    EXPECT_EQ(api_key("VALUELENS_TEST_KEY"), "");
    EXPECT_EQ(api_key(""), "");
}

TEST(ApiKey, AKeyInPlaceOfTheNameIsNotRepeated) {
    try {
        api_key("sk-secret");
        FAIL() << "nothing was thrown";
    } catch (const Error & error) {
        EXPECT_EQ(error.kind(), ErrorKind::usage);
        EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos) << error.what();
    }
}

TEST(WithoutKey, EveryOccurrenceIsReplaced) {
    EXPECT_EQ(without_key("a KEY1 b KEY1", "KEY1"), "a [key] b [key]");
    EXPECT_EQ(without_key("a b", ""), "a b");
}

} // namespace
} // namespace valuelens
