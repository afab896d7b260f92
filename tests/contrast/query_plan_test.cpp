#include "contrast/query_plan.h"

#include <algorithm>
#include <map>

#include <gtest/gtest.h>

#include "contrast/memory_source.h"

namespace valuelens {
namespace {

std::map<std::string, bool> held_out_by_name(const Scene & scene, const QueryPlanOptions & options) {
    const QueryPlan plan(scene.responses, scene.source, options);
    std::map<std::string, bool> result;
    for (std::size_t i = 0; i < scene.responses.size(); ++i) {
        result[scene.responses[i].query] = plan.held_out_of[plan.query_of[i]] != QueryPlan::fitted;
    }
    return result;
}

TEST(QueryPlan, HoldsOutAFifthOfTheQueriesBySeedAndNameAlone) {
    Scene scene = make_scene(50, 1, 1.0);
    QueryPlanOptions options{.held_out = 0.2};
    const auto held_out = held_out_by_name(scene, options);
    EXPECT_EQ(std::count_if(held_out.begin(), held_out.end(), [](const auto & entry) { return entry.second; }), 10);
    std::reverse(scene.responses.begin(), scene.responses.end());
    EXPECT_EQ(held_out_by_name(scene, options), held_out);
    options.seed = 1;
    EXPECT_NE(held_out_by_name(scene, options), held_out);
}

TEST(QueryPlan, ResponsesWithoutAQueryStandAlone) {
    Scene scene = make_scene(10, 1, 1.0);
    for (LabelledResponse & response : scene.responses) {
        response.query.clear();
    }
    scene.responses[0].query = scene.source.id(1); // a query of the same name as a response is another thing
    EXPECT_EQ(QueryPlan(scene.responses, scene.source, {}).n_query, 20u);
}

TEST(QueryPlan, HalvesAreDisjointCoverAllAndDiffer) {
    const Scene scene = make_scene(21, 1, 1.0);
    const QueryPlanOptions options{.bootstraps = 5, .split_halves = 4};
    const QueryPlan plan(scene.responses, scene.source, options);
    ASSERT_EQ(plan.group_weights.rows(), 5 + 2 * 4);
    for (Eigen::Index i = 0; i < 5; ++i) {
        EXPECT_EQ(plan.group_weights.row(i).sum(), 21);
    }
    for (Eigen::Index i = 5; i < 13; i += 2) {
        EXPECT_TRUE((plan.group_weights.row(i) + plan.group_weights.row(i + 1)).isOnes());
        EXPECT_EQ(plan.group_weights.row(i).sum(), 11);
    }
    EXPECT_NE(plan.group_weights.row(5), plan.group_weights.row(7));
}

TEST(QueryPlan, ManyQueriesAreDealtEvenlyIntoGroups) {
    const Scene scene = make_scene(100, 1, 1.0);
    const QueryPlanOptions options{.held_out = 0.2, .bootstraps = 3, .resample_groups = 30};
    const QueryPlan plan(scene.responses, scene.source, options);
    std::vector<int> sizes(30, 0);
    for (const std::uint32_t group : plan.group_of) {
        ++sizes.at(group);
    }
    EXPECT_EQ(*std::min_element(sizes.begin(), sizes.end()), 3);
    EXPECT_EQ(*std::max_element(sizes.begin(), sizes.end()), 4);
    EXPECT_EQ(plan.group_weights.cols(), 30);
    EXPECT_EQ(plan.held_out_weights.at(0).size(), 20u);
}

TEST(QueryPlan, ResamplesDependNeitherOnHoldingOutNorOnHalving) {
    const Scene scene = make_scene(40, 1, 1.0);
    QueryPlanOptions options{.bootstraps = 7, .resample_groups = 15, .seed = 3};
    const QueryPlan bare(scene.responses, scene.source, options);
    options.held_out = 0.2;
    options.split_halves = 4;
    const QueryPlan full(scene.responses, scene.source, options);
    EXPECT_EQ(bare.group_weights, full.group_weights.topRows(7));
    EXPECT_EQ(bare.group_of, full.group_of);
}

} // namespace
} // namespace valuelens
