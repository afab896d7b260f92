#include "vectors/cell_statistics.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "base/random.h"
#include "math/auroc.h"
#include "math/bootstrap.h"
#include "math/vector_ops.h"
#include "vectors/compute.h"
#include "vectors/memory_source.h"

namespace valuelens {
namespace {

using Weights = std::vector<double>;

/// The difference of weighted means the plain way: one loop over the responses of a condition, weights by query.
std::vector<double> plain_difference(const Scene & scene, std::size_t layer, Condition condition,
                                     const std::vector<std::uint32_t> & query_of, const Weights & weights) {
    const std::size_t n = scene.source.n_embd();
    std::vector<double> sums[2] = {std::vector<double>(n, 0), std::vector<double>(n, 0)};
    double total[2] = {0, 0};
    std::vector<float> row(n);
    for (std::size_t i = 0; i < scene.responses.size(); ++i) {
        if (scene.responses[i].condition == condition) {
            const bool k = scene.responses[i].labels[0].second;
            scene.source.read(scene.responses[i].row, layer, row);
            for (std::size_t j = 0; j < n; ++j) {
                sums[k][j] += weights[query_of[i]] * row[j];
            }
            total[k] += weights[query_of[i]];
        }
    }
    for (std::size_t j = 0; j < n; ++j) {
        sums[1][j] = sums[1][j] / total[1] - sums[0][j] / total[0];
    }
    return sums[1];
}

class CompareClasses : public testing::Test {
protected:
    static constexpr std::size_t layer = 1;
    Scene scene = make_scene(50, 1, 1.0);
    VectorOptions options;
    QueryPlan plan{scene.responses, scene.source, plan_options(options)};
    std::vector<Cell> cells = make_cells(scene.responses, 1, plan);
    CellStatistics statistics = compare_classes(scene.source, layer, cells[1], plan, options.confidence, {});

    std::vector<double> plain(const Weights & weights) const {
        return plain_difference(scene, layer, Condition::prompted, plan.query_of, weights);
    }
};

TEST_F(CompareClasses, NormIntervalIsThatOfResampledQueries) {
    std::vector<double> norms;
    for (std::size_t b = 0; b < options.bootstraps; ++b) {
        const auto counts = bootstrap_weights(plan.n_query, b, derive_seed(options.seed, "bootstrap"));
        norms.push_back(norm(plain(Weights(counts.begin(), counts.end()))));
    }
    EXPECT_NEAR(statistics.norm.low, quantile(norms, 0.025), 1e-9);
    EXPECT_NEAR(statistics.norm.high, quantile(norms, 0.975), 1e-9);
    EXPECT_NEAR(statistics.norm.value, norm(plain(Weights(plan.n_query, 1.0))), 1e-9);
}

TEST_F(CompareClasses, SplitHalfCosineIsThatOfDisjointHalves) {
    double sum = 0;
    for (std::size_t half = 0; half < options.split_halves; ++half) {
        const auto row = static_cast<Eigen::Index>(options.bootstraps + 2 * half);
        const Eigen::VectorXd a = plan.group_weights.row(row);
        const Eigen::VectorXd b = plan.group_weights.row(row + 1);
        sum += cosine(plain(Weights(a.begin(), a.end())), plain(Weights(b.begin(), b.end())));
    }
    EXPECT_NEAR(statistics.split_half_cosine, sum / double(options.split_halves), 1e-9);
}

TEST_F(CompareClasses, AurocIsOfQueriesThatTheFitHasNotSeen) {
    Weights fitted(plan.n_query);
    for (std::size_t query = 0; query < plan.n_query; ++query) {
        fitted[query] = plan.held_out_of[query] == QueryPlan::fitted;
    }
    const std::vector<double> direction = plain(fitted);
    std::vector<double> scores;
    std::vector<std::uint8_t> positive;
    std::vector<float> row(scene.source.n_embd());
    for (std::size_t i = 0; i < scene.responses.size(); ++i) {
        if (scene.responses[i].condition == Condition::prompted && fitted[plan.query_of[i]] == 0) {
            scene.source.read(scene.responses[i].row, layer, row);
            scores.push_back(dot(row, direction));
            positive.push_back(scene.responses[i].labels[0].second);
        }
    }
    EXPECT_EQ(scores.size(), 10u);
    EXPECT_EQ(statistics.auroc.value, auroc(scores, positive));
    EXPECT_LE(statistics.auroc.low, statistics.auroc.value);
    EXPECT_GE(statistics.auroc.high, statistics.auroc.value);
}

} // namespace
} // namespace valuelens
