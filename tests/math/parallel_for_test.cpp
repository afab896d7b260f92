#include "math/parallel_for.h"

#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace valuelens {
namespace {

TEST(ParallelFor, RunsEachIndexOnce) {
    for (const unsigned threads : {0u, 1u, 3u, 16u}) {
        std::vector<std::atomic<int>> runs(101);
        parallel_for(runs.size(), threads, [&](std::size_t i) { ++runs[i]; });
        for (const auto & count : runs) {
            EXPECT_EQ(count, 1);
        }
    }
}

TEST(ParallelFor, NothingToDoIsFine) {
    bool ran = false;
    parallel_for(0, 4, [&](std::size_t) { ran = true; });
    EXPECT_FALSE(ran);
}

TEST(ParallelFor, RethrowsTheFailureOfTheLowestIndex) {
    for (const unsigned threads : {1u, 4u}) {
        for (int repeat = 0; repeat < 50; ++repeat) {
            try {
                parallel_for(64, threads, [](std::size_t i) {
                    if (i % 10 == 7) {
                        throw std::runtime_error(std::to_string(i));
                    }
                });
                ADD_FAILURE() << "no exception";
            } catch (const std::runtime_error & error) {
                EXPECT_STREQ(error.what(), "7");
            }
        }
    }
}

TEST(ParallelFor, BeginsNothingAfterAFailure) {
    std::size_t runs = 0;
    EXPECT_THROW(parallel_for(100, 1,
                              [&](std::size_t i) {
                                  ++runs;
                                  if (i == 4) {
                                      throw std::runtime_error("stop");
                                  }
                              }),
                 std::runtime_error);
    EXPECT_EQ(runs, 5u);
}

TEST(ThreadCount, TakesTheRequestOrAtLeastOne) {
    EXPECT_EQ(thread_count(3), 3u);
    EXPECT_GE(thread_count(0), 1u);
}

} // namespace
} // namespace valuelens
