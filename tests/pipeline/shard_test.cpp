#include "pipeline/shard.h"

#include <gtest/gtest.h>

#include <map>

#include "support/expect_error.h"

namespace valuelens {
namespace {

Shard automatic(const std::map<std::string, std::string> & variables) {
    return parse_shard("auto", [&](const char * name) {
        const auto found = variables.find(name);
        return found == variables.end() ? std::nullopt : std::optional(found->second);
    });
}

TEST(ShardOption, IsAPartOfTheWhole) {
    EXPECT_EQ(parse_shard(""), Shard(0, 1));
    EXPECT_EQ(parse_shard("3/8"), Shard(3, 8));
    EXPECT_EQ(to_string(parse_shard("3/8")), "3/8");
    for (const char * wrong : {"2/2", "-1/2", "1/0", "x", "1", "1/2/3", "1/2 ", "1.0/2", "/2", "1/", "Auto"}) {
        expect_error(ErrorKind::usage, {"--shard", wrong, "0/4"}, [&] { parse_shard(wrong); });
    }
}

TEST(ShardOption, AutoIsTheTaskOfAnArray) {
    EXPECT_EQ(automatic({{"SLURM_ARRAY_TASK_ID", "5"}, {"SLURM_ARRAY_TASK_MIN", "0"}, {"SLURM_ARRAY_TASK_COUNT", "8"}}),
              Shard(5, 8));
    EXPECT_EQ(automatic({{"SLURM_ARRAY_TASK_ID", "5"}, {"SLURM_ARRAY_TASK_MIN", "1"}, {"SLURM_ARRAY_TASK_COUNT", "8"}}),
              Shard(4, 8))
        << "arrays may count from 1";
    EXPECT_EQ(automatic({{"SLURM_ARRAY_TASK_ID", "14"},
                         {"SLURM_ARRAY_TASK_MIN", "10"},
                         {"SLURM_ARRAY_TASK_STEP", "2"},
                         {"SLURM_ARRAY_TASK_COUNT", "4"}}),
              Shard(2, 4));
    EXPECT_EQ(automatic({{"JOB_COMPLETION_INDEX", "3"}, {"JOB_COMPLETIONS", "4"}}), Shard(3, 4));
}

TEST(ShardOption, AutoIsTheRankOfAProcess) {
    EXPECT_EQ(automatic({{"OMPI_COMM_WORLD_RANK", "1"}, {"OMPI_COMM_WORLD_SIZE", "2"}}), Shard(1, 2));
    EXPECT_EQ(automatic({{"SLURM_PROCID", "2"}, {"SLURM_NTASKS", "4"}}), Shard(2, 4));
    EXPECT_EQ(automatic({{"OMPI_COMM_WORLD_RANK", "1"},
                         {"OMPI_COMM_WORLD_SIZE", "2"},
                         {"SLURM_PROCID", "0"},
                         {"SLURM_NTASKS", "2"}}),
              Shard(1, 2))
        << "under mpirun, Slurm's number is that of the launcher";
}

TEST(ShardOption, RanksWithinATaskMultiply) {
    EXPECT_EQ(automatic({{"SLURM_ARRAY_TASK_ID", "2"},
                         {"SLURM_ARRAY_TASK_MIN", "0"},
                         {"SLURM_ARRAY_TASK_COUNT", "3"},
                         {"SLURM_PROCID", "1"},
                         {"SLURM_NTASKS", "4"}}),
              Shard(2 * 4 + 1, 3 * 4));
    EXPECT_EQ(automatic({{"SLURM_ARRAY_TASK_ID", "2"},
                         {"SLURM_ARRAY_TASK_MIN", "0"},
                         {"SLURM_ARRAY_TASK_COUNT", "3"},
                         {"SLURM_PROCID", "0"}}),
              Shard(2, 3))
        << "a batch script without srun";
}

TEST(ShardOption, AutoSaysWhatIsMissingOrWrong) {
    expect_error(ErrorKind::usage, {"OMPI_COMM_WORLD_RANK", "SLURM_ARRAY_TASK_ID", "i/n"}, [&] { automatic({}); });
    expect_error(ErrorKind::usage, {"JOB_COMPLETION_INDEX", "JOB_COMPLETIONS is not"}, [&] {
        automatic({{"JOB_COMPLETION_INDEX", "0"}});
    });
    expect_error(ErrorKind::usage, {"OMPI_COMM_WORLD_SIZE is not"}, [&] {
        automatic({{"OMPI_COMM_WORLD_RANK", "0"}});
    });
    expect_error(ErrorKind::usage, {"JOB_COMPLETIONS is 'four'"}, [&] {
        automatic({{"JOB_COMPLETION_INDEX", "0"}, {"JOB_COMPLETIONS", "four"}});
    });
    expect_error(ErrorKind::usage, {"SLURM_ARRAY_TASK_ID", "part 6 of 3"}, [&] {
        automatic({{"SLURM_ARRAY_TASK_ID", "7"}, {"SLURM_ARRAY_TASK_MIN", "1"}, {"SLURM_ARRAY_TASK_COUNT", "3"}});
    });
    expect_error(ErrorKind::usage, {"SLURM_ARRAY_TASK_ID = 3", "steps of 2"}, [&] {
        automatic({{"SLURM_ARRAY_TASK_ID", "3"},
                   {"SLURM_ARRAY_TASK_MIN", "0"},
                   {"SLURM_ARRAY_TASK_STEP", "2"},
                   {"SLURM_ARRAY_TASK_COUNT", "3"}});
    });
}

TEST(ShardOption, GivesEachProcessAFolder) {
    EXPECT_EQ(shard_folder("runs/{shard}", {1, 2}), "runs/1-of-2");
    EXPECT_EQ(shard_folder("{shard}/run-{shard}", {0, 1}), "0-of-1/run-0-of-1");
    EXPECT_EQ(shard_folder("runs/big", {1, 2}), "runs/big");
}

} // namespace
} // namespace valuelens
