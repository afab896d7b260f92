#include "decompose/intervals.h"

#include <gtest/gtest.h>

#include <Eigen/SVD>

#include "base/file.h"
#include "decompose/compliance.h"
#include "decompose/scene_vectors.h"
#include "math/bootstrap.h"
#include "math/vector_ops.h"
#include "support/temp_folder.h"

namespace valuelens {
namespace {

/// Inner products lose half of the digits of the smaller singular value.
constexpr double rounding = 1e-7;

using Vector = std::vector<double>;

/// A value vector the plain way: one loop over the responses, weights by query.
Vector plain_vector(const Scene & scene, const std::vector<std::uint32_t> & query_of, std::size_t value,
                    Condition condition, std::size_t layer, const std::vector<std::uint32_t> & weights) {
    const std::size_t n = scene.source.n_embd();
    Vector sums[2] = {Vector(n, 0), Vector(n, 0)};
    double total[2] = {0, 0};
    for (std::size_t i = 0; i < scene.responses.size(); ++i) {
        const LabelledResponse & response = scene.responses[i];
        for (const auto & [of, expresses] : response.labels) {
            if (of == value && response.condition == condition) {
                for (std::size_t j = 0; j < n; ++j) {
                    sums[expresses][j] += weights[query_of[i]] * scene.source.rows[response.row][layer * n + j];
                }
                total[expresses] += weights[query_of[i]];
            }
        }
    }
    for (std::size_t j = 0; j < n; ++j) {
        sums[1][j] = sums[1][j] / total[1] - sums[0][j] / total[0];
    }
    return sums[1];
}

class Intervals : public testing::TestWithParam<bool> {
protected:
    static constexpr std::size_t layer = 1;
    const Scene scene = make_scene(40, 3, 2.0);
    ValueVectorSet vectors = scene_vectors(scene);
    DecomposeOptions options = quick_options();

    void SetUp() override {
        vectors.options.seed = 7; // the resamples are those of the vectors
        options.seed = 1234;
        options.normalize = GetParam();
    }

    void expect_interval(const Estimate & estimate, const Vector & resampled) const {
        const Interval expected = percentile_interval(resampled, 0.95); // leaves out what is undefined
        EXPECT_NEAR(estimate.low, expected.low, rounding);
        EXPECT_NEAR(estimate.high, expected.high, rounding);
    }

    static double mean(const Vector & values) {
        double sum = 0;
        for (const double value : values) {
            sum += value;
        }
        return sum / static_cast<double>(values.size());
    }
};

TEST_P(Intervals, AreThoseOfVectorsComputedAnewFromResampledQueries) {
    const AxisSet set = decompose(scene, vectors, options);
    const QueryPlan plan(scene.responses, scene.source, {});
    ASSERT_EQ(plan.n_query, 40u);

    std::vector<Vector> cosines(3), ratios(3), shared(3), unique(3);
    Vector explained, explained_unit, mean_cosine;
    for (std::size_t b = 0; b < options.bootstraps; ++b) {
        const auto weights = bootstrap_weights(plan.n_query, b, derive_seed(7, "bootstrap"));
        RowMatrix deltas(3, 16);
        for (std::size_t value = 0; value < 3; ++value) {
            const Vector a = plain_vector(scene, plan.query_of, value, Condition::intrinsic, layer, weights);
            const Vector p = plain_vector(scene, plan.query_of, value, Condition::prompted, layer, weights);
            Eigen::MatrixXd both(16, 2);
            for (Eigen::Index j = 0; j < 16; ++j) {
                const auto k = static_cast<std::size_t>(j);
                both(j, 0) = a[k] / (GetParam() ? norm(a) : 1);
                both(j, 1) = p[k] / (GetParam() ? norm(p) : 1);
                deltas(static_cast<Eigen::Index>(value), j) = p[k] - a[k];
            }
            const Eigen::JacobiSVD<Eigen::MatrixXd> svd(both, Eigen::ComputeThinU);
            const auto column = [&](Eigen::Index k) {
                return Vector(svd.matrixU().col(k).begin(), svd.matrixU().col(k).end());
            };
            cosines[value].push_back(cosine(a, p));
            ratios[value].push_back(svd.singularValues()[1] / svd.singularValues()[0]);
            shared[value].push_back(std::abs(cosine(column(0), row_of(set, set.axes[value].shared, layer))));
            unique[value].push_back(std::abs(cosine(column(1), row_of(set, set.axes[value].intrinsic, layer))));
        }
        const ComplianceStatistics statistics = compliance_statistics(deltas);
        explained.push_back(statistics.explained);
        explained_unit.push_back(statistics.explained_unit);
        mean_cosine.push_back(statistics.mean_cosine);
    }
    for (std::size_t value = 0; value < 3; ++value) {
        const PairGeometry & geometry = set.axes[value].layers[layer];
        expect_interval(geometry.cosine, cosines[value]);
        expect_interval(geometry.sigma_ratio, ratios[value]);
        EXPECT_NEAR(geometry.stability_shared, mean(shared[value]), rounding);
        EXPECT_NEAR(geometry.stability_unique, mean(unique[value]), rounding);
    }
    expect_interval(set.compliance_layers[layer].explained, explained);
    expect_interval(set.compliance_layers[layer].explained_unit, explained_unit);
    expect_interval(set.compliance_layers[layer].mean_cosine, mean_cosine);
}

TEST_P(Intervals, PlantedAxesAreStableAndNoiseIsNot) {
    const Scene planted = make_scene(150, 2, 12.0);
    const AxisSet clear = decompose(planted, scene_vectors(planted), options);
    const Scene noise = make_scene(150, 2, 0.0);
    const AxisSet unclear = decompose(noise, scene_vectors(noise), options);
    for (std::size_t value = 0; value < 2; ++value) {
        EXPECT_GT(clear.axes[value].layers[layer].stability_shared, 0.98);
        EXPECT_LT(unclear.axes[value].layers[layer].stability_shared, 0.9);
    }
}

TEST_P(Intervals, BytesDependNeitherOnThreadsNorOnMemory) {
    // Wider than one block of columns, the last one narrower.
    const Scene wide = make_scene(12, 2, 1.0, 3, 3, 2500);
    const ValueVectorSet of_wide = scene_vectors(wide);
    const TempFolder folder;
    const auto bytes = [&](unsigned threads, std::size_t memory_mb) {
        options.threads = threads;
        options.memory_mb = memory_mb;
        write_axes(folder / "axes.safetensors", decompose(wide, of_wide, options));
        return read_file(folder / "axes.safetensors");
    };
    const std::string one = bytes(1, 256);
    EXPECT_EQ(one, bytes(3, 256));
    EXPECT_EQ(one, bytes(3, 0));
    EXPECT_GT(read_axes(folder / "axes.safetensors").axes[1].layers[2].stability_shared, 0);
}

TEST_P(Intervals, SeveralBlocksOfColumnsAddUpAndEmptyClassesAreLeftOut) {
    const Scene wide = make_scene(12, 2, 1.0, 3, 2, 1500);
    const ValueVectorSet of_wide = scene_vectors(wide);
    const AxisSet set = decompose(wide, of_wide, options);
    const QueryPlan plan(wide.responses, wide.source, {});
    Vector cosines;
    for (std::size_t b = 0; b < options.bootstraps; ++b) {
        const auto weights = bootstrap_weights(plan.n_query, b, derive_seed(0, "bootstrap"));
        cosines.push_back(cosine(plain_vector(wide, plan.query_of, 1, Condition::intrinsic, 0, weights),
                                 plain_vector(wide, plan.query_of, 1, Condition::prompted, 0, weights)));
    }
    EXPECT_TRUE(std::any_of(cosines.begin(), cosines.end(), [](double x) { return std::isnan(x); }));
    EXPECT_TRUE(std::any_of(set.notes.begin(), set.notes.end(), [](const std::string & note) {
        return note.find("'value1'") != std::string::npos &&
               note.find("hold no response of one class") != std::string::npos;
    }));
    expect_interval(set.axes[1].layers[0].cosine, cosines);
}

TEST_P(Intervals, WithoutBootstrapsThereAreNone) {
    options.bootstraps = 0;
    const AxisSet set = decompose(scene, vectors, options);
    EXPECT_TRUE(std::isfinite(set.axes[0].layers[0].cosine.value));
    EXPECT_TRUE(std::isnan(set.axes[0].layers[0].cosine.low));
    EXPECT_TRUE(std::isnan(set.axes[0].layers[0].stability_shared));
    EXPECT_TRUE(std::isnan(set.compliance_layers[0].explained.high));
}

INSTANTIATE_TEST_SUITE_P(RawAndNormalized, Intervals, testing::Bool(),
                         [](const auto & case_) { return case_.param ? "normalized" : "raw"; });

} // namespace
} // namespace valuelens
