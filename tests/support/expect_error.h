#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "valuelens/error.h"

/// Expects `work` to throw an Error of that kind whose sentence holds all of `words`.
template <typename Work>
void expect_error(valuelens::ErrorKind kind, const std::vector<std::string> & words, Work && work) {
    try {
        work();
    } catch (const valuelens::Error & error) {
        EXPECT_EQ(error.kind(), kind) << error.what();
        for (const std::string & word : words) {
            EXPECT_THAT(error.what(), testing::HasSubstr(word));
        }
        return;
    }
    FAIL() << "nothing was thrown";
}
