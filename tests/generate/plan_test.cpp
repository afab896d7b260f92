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
    ASSERT_EQ(made.responses.size(), 15u);
    for (std::size_t i = 0; i < made.responses.size(); ++i) {
        EXPECT_EQ(made.responses[i].position, i);
        EXPECT_EQ(made.responses[i].query, i / 3);
    }
    EXPECT_EQ(made.responses[3].id, "q1/intrinsic");
    EXPECT_EQ(made.responses[3].condition, Condition::intrinsic);
    EXPECT_EQ(made.responses[3].system, "");
    EXPECT_EQ(made.responses[3].value, std::nullopt);
    EXPECT_EQ(made.responses[3].template_, std::nullopt);
    EXPECT_EQ(made.responses[5].id, "q1/care");
    EXPECT_EQ(made.responses[5].condition, Condition::prompted);
    EXPECT_EQ(made.responses[5].value, 1u);
    EXPECT_EQ(made.responses[5].system, fmt::format("Template {} Care: welfare.", *made.responses[5].template_));
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

TEST(Plan, AQuerysPartDoesNotDependOnTheOthers) {
    const GenerationPlan few = plan(3);
    const GenerationPlan many = plan(30);
    for (std::size_t i = 0; i < few.responses.size(); ++i) {
        EXPECT_EQ(few.responses[i].id, many.responses[i].id);
        EXPECT_EQ(few.responses[i].system, many.responses[i].system);
        EXPECT_EQ(few.responses[i].slice, many.responses[i].slice);
    }
}

TEST(Plan, TemplatesAreDrawnFromTheSeed) {
    std::set<std::size_t> used;
    for (const PlannedResponse & response : plan(60).responses) {
        if (response.template_) {
            used.insert(*response.template_);
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
