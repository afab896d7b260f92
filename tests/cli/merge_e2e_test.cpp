// Shards of a run through the program, as a parallel job would start them, and what becomes of them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "cli/program.h"
#include "pipeline/small_run.h"

namespace valuelens {
namespace {

namespace fs = std::filesystem;
using test::ProgramResult;
using test::run_program;
using test::SmallRun;
using testing::HasSubstr;

TEST(MergeCommand, TheRanksOfAJobMakeTheBytesOfOneRun) {
    ASSERT_TRUE(SmallRun::has_model()) << "smollm2-135m-bf16 is not in the cache: valuelens models fetch smollm2-135m";
    const SmallRun files;
    const fs::path job = files.folder / "job";
    const auto rank = [&](int index, const std::string & folder) {
        return run_program({"run", files.config().string(), "--shard", "auto", "--run", folder},
                           {fmt::format("OMPI_COMM_WORLD_RANK={}", index), "OMPI_COMM_WORLD_SIZE=2"});
    };
    for (int index = 0; index < 2; ++index) {
        const ProgramResult result = rank(index, (job / "{shard}").string());
        ASSERT_EQ(result.exit_code, 0) << result.err;
        EXPECT_THAT(result.err, HasSubstr(fmt::format("shard {}/2 is done up to judging", index)));
        EXPECT_THAT(result.err, HasSubstr("valuelens merge"));
    }
    const ProgramResult same_folder = rank(0, (job / "1-of-2").string());
    EXPECT_EQ(same_folder.exit_code, 2);
    EXPECT_THAT(same_folder.last_error_line(),
                testing::AllOf(HasSubstr("begun as shard 1/2"), HasSubstr("0/2"), HasSubstr("{shard}")));

    const ProgramResult missing =
        run_program({"merge", (job / "0-of-2").string(), "--output", (job / "whole").string()});
    EXPECT_EQ(missing.exit_code, 2);
    EXPECT_THAT(missing.last_error_line(), HasSubstr("missing: shard 1/2"));
    EXPECT_EQ(missing.out, "");

    const ProgramResult merged = run_program({"merge", (job / "0-of-2").string(), (job / "1-of-2").string(), "--output",
                                              (job / "whole").string(), "--json"});
    ASSERT_EQ(merged.exit_code, 0) << merged.err;
    const auto json = nlohmann::json::parse(merged.out);
    EXPECT_EQ(json["shards"], 2);
    EXPECT_EQ(json["responses"], 18);
    EXPECT_EQ(json["labels"], 24);
    EXPECT_EQ(json["next"], "vectors");

    // From here on it is a run like any other.
    const ProgramResult went_on = run_program({"run", files.config().string(), "--run", (job / "whole").string()});
    ASSERT_EQ(went_on.exit_code, 0) << went_on.err;
    EXPECT_THAT(went_on.err, testing::AllOf(HasSubstr("generate: done before"), HasSubstr("judge: done before")));
    ASSERT_EQ(run_program({"run", files.config().string(), "--run", files.run().string()}).exit_code, 0);
    for (const char * file : {"vectors.safetensors", "axes.safetensors", "geometry.json", "neurons.csv",
                              "activations/shard-00000.safetensors", "activations/shard-00001.safetensors"}) {
        EXPECT_EQ(sha256_file(job / "whole" / file), sha256_file(files.run() / file)) << file;
    }
}

TEST(MergeCommand, WithoutAJobAutoIsAUsageError) {
    const SmallRun files;
    const ProgramResult result =
        run_program({"run", files.config().string(), "--run", files.run().string(), "--shard", "auto"});
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_THAT(result.last_error_line(), testing::AllOf(HasSubstr("--shard auto"), HasSubstr("SLURM_ARRAY_TASK_ID")));
    EXPECT_FALSE(fs::exists(files.run())) << "nothing was begun";
}

} // namespace
} // namespace valuelens
