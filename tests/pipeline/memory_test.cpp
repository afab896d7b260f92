// Memory must not grow with the number of responses beyond a few numbers for each: ids, labels, seeds, no texts and no
// activations.

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pipeline/fake_run.h"
#include "support/faults.h"
#include "support/temp_folder.h"

namespace valuelens {
namespace {

using test::FakeRun;

/// Largest resident memory of a process that makes a run of so many queries and two values, in bytes.
std::size_t peak_memory(std::size_t n_queries, const std::string & activations) {
    const TempFolder folder;
    const pid_t child = ::fork();
    if (child == 0) {
        faults_arm(folder.path().c_str(), faults_count, 0); // without waiting for the disk
        FakeRun run{folder / "run"};
        run.n_queries = n_queries;
        run.config.slice_size = 250;
        run.config.activations = activations;
        run.config.judge_prior = activations == "none" ? "balanced" : "matched";
        run.execute();
        ::_exit(0);
    }
    int status = 0;
    struct rusage usage {};
    EXPECT_EQ(::wait4(child, &status, 0, &usage), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
}

TEST(Memory, GrowsByLittleWithTheNumberOfQueries) {
    for (const char * activations : {"f32", "none"}) {
        const std::size_t few = peak_memory(2'000, activations);
        const std::size_t many = peak_memory(20'000, activations);
        const std::size_t growth = many > few ? many - few : 0;
        // 18,000 queries with 3 responses and 4 labels each. Holding responses would take 1 kB for each of the 54,000,
        // holding labels as texts 200 bytes for each of the 72,000.
        EXPECT_LT(growth, 48U << 20) << activations << ": " << (few >> 20) << " MiB, then " << (many >> 20) << " MiB";
        RecordProperty(std::string("growth_mib_") + activations, std::to_string(growth >> 20));
        std::cerr << activations << ": " << (few >> 20) << " MiB with 2,000 queries, " << (many >> 20)
                  << " MiB with 20,000\n";
    }
}

} // namespace
} // namespace valuelens
