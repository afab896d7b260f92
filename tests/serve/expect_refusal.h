#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "serve/api_error.h"

namespace valuelens::test {

/// Expects `work` to throw an ApiError of that status whose message holds `words`.
template <typename Work>
void expect_refusal(int status, const std::string & words, Work && work) {
    try {
        work();
    } catch (const ApiError & error) {
        EXPECT_EQ(error.status(), status) << error.what();
        EXPECT_THAT(error.what(), testing::HasSubstr(words));
        return;
    }
    FAIL() << "nothing was refused, expected: " << words;
}

} // namespace valuelens::test
