#include "generate/plan.h"

#include <gtest/gtest.h>

#include <set>

#include "generate/toy_run.h"
#include "support/expect_error.h"

using namespace valuelens;

namespace {

GenerateOptions options(std::size_t slice_size = 7) {
    GenerateOptions result;
    result.slice_size = slice_size;
    result.seed = 11;
    return result;
}

GenerationPlan plan(std::size_t n_queries, const GenerateOptions & with = options()) {
    return plan_generation(toy_concepts(), toy_queries(n_queries), toy_templates(50), with);
}

} // namespace

TEST(Plan, IntrinsicThenEachValue) {
    const GenerationPlan made = plan(5);
    ASSERT_EQ(made.size(), 15u);
    for (std::size_t i = 0; i < made.size(); ++i) {
        EXPECT_EQ(made.response(i).position, i);
        EXPECT_EQ(made.response(i).query, i / 3);
    }
    EXPECT_EQ(made.response(3).id, "q1/intrinsic");
    EXPECT_EQ(made.response(3).condition, Condition::intrinsic);
    EXPECT_EQ(made.response(3).system, "");
    EXPECT_EQ(made.response(3).value, std::nullopt);
    EXPECT_EQ(made.response(3).template_, std::nullopt);
    EXPECT_EQ(made.response(5).id, "q1/care");
    EXPECT_EQ(made.response(5).condition, Condition::prompted);
    EXPECT_EQ(made.response(5).value, 1u);
    EXPECT_EQ(made.response(5).system, fmt::format("Template {} Care: welfare.", *made.response(5).template_));
}

TEST(Plan, SlicesHoldWholeQueries) {
    const GenerationPlan made = plan(5); // 7 responses fit two queries of three
    EXPECT_EQ(made.n_slices, 3u);
    EXPECT_EQ(made.slice(0).size(), 6u);
    EXPECT_EQ(made.slice(1).front().id, "q2/intrinsic");
    EXPECT_EQ(made.slice(2).size(), 3u);
    EXPECT_TRUE(made.slice(3).empty());
    EXPECT_EQ(plan(5, options(1)).n_slices, 5u); // never less than one query
}

TEST(Plan, ShardsTakeTurns) {
    GenerateOptions second = options();
    second.shard_count = 2;
    second.shard_index = 1;
    EXPECT_EQ(open_slices(plan(9), options(), {}), (std::vector<std::size_t>{0, 1, 2, 3, 4}));
    EXPECT_EQ(open_slices(plan(9), options(), {0, 3}), (std::vector<std::size_t>{1, 2, 4}));
    EXPECT_EQ(open_slices(plan(9), second, {}), (std::vector<std::size_t>{1, 3}));
    EXPECT_EQ(open_slices(plan(9), second, {3}), (std::vector<std::size_t>{1}));
    for (int count = 1; count < 9; ++count) {
        std::size_t all = 0;
        for (int index = 0; index < count; ++index) {
            GenerateOptions part = options();
            part.shard_index = index;
            part.shard_count = count;
            EXPECT_EQ(shard_size(5, index, count), open_slices(plan(9), part, {}).size());
            all += shard_size(5, index, count);
        }
        EXPECT_EQ(all, 5u);
    }
}

TEST(Plan, AQuerysPartDoesNotDependOnTheOthers) {
    const GenerationPlan few = plan(3);
    const GenerationPlan many = plan(30);
    for (std::size_t i = 0; i < few.size(); ++i) {
        EXPECT_EQ(few.response(i).id, many.response(i).id);
        EXPECT_EQ(few.response(i).system, many.response(i).system);
        EXPECT_EQ(few.response(i).slice, many.response(i).slice);
    }
}

TEST(Plan, TemplatesAreDrawnFromTheSeed) {
    std::set<std::size_t> used;
    const GenerationPlan large = plan(60);
    for (std::size_t i = 0; i < large.size(); ++i) {
        if (const auto drawn = large.response(i).template_) {
            used.insert(*drawn);
        }
    }
    EXPECT_GT(used.size(), 30u); // of 50, in 120 draws
    GenerateOptions other = options();
    other.seed = 12;
    EXPECT_EQ(plan(9).fingerprint(), plan(9).fingerprint());
    EXPECT_NE(plan(9).fingerprint(), plan(9, other).fingerprint());
    EXPECT_NE(plan(9).fingerprint(), plan(10).fingerprint());
    EXPECT_NE(plan(9).fingerprint(), plan(9, options(3)).fingerprint());
}

TEST(Plan, BadInputs) {
    ConceptSet reserved = toy_concepts();
    reserved.concepts[1].id = "intrinsic";
    expect_error(ErrorKind::bad_input, {"'intrinsic'"},
                 [&] { plan_generation(reserved, toy_queries(1), toy_templates(1), options()); });
    std::vector<Query> twice = toy_queries(2);
    twice[1].id = "q0";
    expect_error(ErrorKind::bad_input, {"'q0'"},
                 [&] { plan_generation(toy_concepts(), twice, toy_templates(1), options()); });
    expect_error(ErrorKind::bad_input, {"0 queries"},
                 [&] { plan_generation(toy_concepts(), {}, toy_templates(1), options()); });
    GenerateOptions shard = options();
    shard.shard_index = shard.shard_count = 2;
    expect_error(ErrorKind::usage, {"shard 2 of 2"}, [&] { plan(1, shard); });
    expect_error(ErrorKind::usage, {"slice_size"}, [&] { plan(1, options(0)); });
}
