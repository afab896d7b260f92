#include "math/pca.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "base/random.h"
#include "math/reference.h"
#include "support/expect_error.h"

namespace valuelens {
namespace {

RowMatrix random_matrix(Eigen::Index rows, Eigen::Index columns, std::uint64_t seed) {
    Rng rng(seed);
    RowMatrix result(rows, columns);
    for (double & x : result.reshaped<Eigen::RowMajor>()) {
        x = rng.normal();
    }
    return result;
}

TEST(Pca, AgreesWithScikitLearnUpToTheSignsItDocuments) {
    const nlohmann::json reference = load_reference("shape_reference.json");
    ASSERT_FALSE(reference.at("pca").empty());
    for (const auto & example : reference.at("pca")) {
        const RowMatrix samples = reference_matrix(example.at("samples"));
        const auto k = example.at("k").get<std::size_t>();
        const RowMatrix expected = reference_matrix(example.at("scores"));
        const Pca direct = pca(samples, k);
        const Pca by_gram = pca_of_gram(samples * samples.transpose(), k);
        // Uncentred inner products of samples far from zero lose what centring cancels.
        for (const auto & [found, tolerance] : {std::pair{&direct, 1e-11}, std::pair{&by_gram, 1e-7}}) {
            for (std::size_t c = 0; c < k; ++c) {
                const auto column = static_cast<Eigen::Index>(c);
                EXPECT_NEAR(found->explained[c], example.at("explained")[c].get<double>(), tolerance);
                const double sign = found->scores.col(column).dot(expected.col(column)) < 0 ? -1 : 1;
                EXPECT_LT((sign * found->scores.col(column) - expected.col(column)).norm(), tolerance * 10);
                Eigen::Index greatest = 0;
                found->scores.col(column).cwiseAbs().maxCoeff(&greatest);
                EXPECT_GT(found->scores(greatest, column), 0);
            }
        }
    }
}

TEST(Pca, SignsFollowTheGreatestScoreTheFirstAmongEquals) {
    RowMatrix pair(2, 3);
    pair << 1, 2, 3, 3, 2, 1;
    EXPECT_NEAR(pca(pair, 1).scores(0, 0), std::sqrt(2.0), 1e-12);
    EXPECT_NEAR(pca(-pair, 1).scores(0, 0), std::sqrt(2.0), 1e-12);
}

TEST(Pca, MirroredSamplesHaveTheSameScores) {
    const RowMatrix samples = random_matrix(10, 40, 3);
    EXPECT_EQ(pca(samples, 2).scores, pca(-samples, 2).scores);
}

TEST(Pca, ComponentsBeyondTheRankAreZero) {
    RowMatrix line(5, 4);
    for (Eigen::Index i = 0; i < 5; ++i) {
        line.row(i) << double(i), 2.0 * double(i), -double(i), 7;
    }
    const Pca found = pca(line, 3);
    EXPECT_NEAR(found.explained[0], 1, 1e-12);
    EXPECT_EQ(found.explained[1], 0);
    EXPECT_EQ(found.explained[2], 0);
    EXPECT_EQ(found.scores.rightCols(2).norm(), 0);
    EXPECT_NEAR(found.scores.col(0).norm(), std::sqrt(10.0 * 6), 1e-12);
}

TEST(Pca, EqualSamplesHaveNoComponents) {
    RowMatrix same(4, 300);
    same.rowwise() = random_matrix(1, 300, 9).row(0);
    for (const Pca & found : {pca(same, 2), pca_of_gram(same * same.transpose(), 2)}) {
        EXPECT_TRUE(std::isnan(found.explained[0]));
        EXPECT_TRUE(std::isnan(found.explained[1]));
        EXPECT_EQ(found.scores, RowMatrix::Zero(4, 2));
    }
}

TEST(Pca, NamesTheSampleThatIsNotFinite) {
    RowMatrix samples = random_matrix(4, 3, 1);
    samples(2, 1) = std::numeric_limits<double>::infinity();
    expect_error(ErrorKind::bad_input, {"sample 2", "not finite"}, [&] { pca(samples, 2); });
    expect_error(ErrorKind::bad_input, {"not finite"}, [&] { pca_of_gram(samples * samples.transpose(), 2); });
}

TEST(Pca, RefusesMoreComponentsThanSamples) {
    const RowMatrix samples = random_matrix(3, 9, 1);
    expect_error(ErrorKind::internal, {"3 samples", "4 components"}, [&] { pca(samples, 4); });
    expect_error(ErrorKind::internal, {"0 components"}, [&] { pca(samples, 0); });
}

} // namespace
} // namespace valuelens
