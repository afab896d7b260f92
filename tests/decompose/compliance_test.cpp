#include "decompose/compliance.h"

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "math/bootstrap.h"

namespace valuelens {
namespace {

constexpr double rounding = 1e-12;

RowMatrix random_deltas(std::size_t n, std::size_t n_embd, std::uint64_t seed) {
    Rng rng(seed);
    RowMatrix deltas(static_cast<Eigen::Index>(n), static_cast<Eigen::Index>(n_embd));
    for (double & x : deltas.reshaped<Eigen::RowMajor>()) {
        x = rng.normal();
    }
    return deltas;
}

void expect_undefined(const ComplianceStatistics & statistics) {
    EXPECT_TRUE(std::isnan(statistics.explained));
    EXPECT_TRUE(std::isnan(statistics.explained_unit));
    EXPECT_TRUE(std::isnan(statistics.mean_cosine));
}

TEST(Compliance, OfTwoDeltasByHand) {
    // m = (2, 1) (times 2): (4 * 2)^2 / 5 + (2 * 1)^2 / 5 of 16 + 4; unit: cos^2 of 45 degrees; perpendicular.
    const RowMatrix deltas{{4.0, 0.0}, {0.0, 2.0}};
    const ComplianceStatistics found = compliance_statistics(deltas);
    EXPECT_NEAR(found.explained, (64.0 + 4.0) / 5 / 20, rounding);
    EXPECT_NEAR(found.explained_unit, 0.5, rounding);
    EXPECT_NEAR(found.mean_cosine, 0, rounding);
}

TEST(Compliance, IsTheFormulaOfTheVectorsThemselves) {
    RowMatrix deltas = random_deltas(7, 20, 3);
    for (Eigen::Index i = 0; i < deltas.rows(); ++i) {
        deltas.row(i) = (deltas.row(i).array() + 0.5) * double(i + 1);
    }
    const auto explained = [](const RowMatrix & rows) {
        const Eigen::RowVectorXd direction = rows.colwise().mean().normalized();
        return (rows * direction.transpose()).squaredNorm() / rows.squaredNorm();
    };
    const RowMatrix units = deltas.rowwise().normalized();
    double cosines = 0;
    for (Eigen::Index i = 0; i < deltas.rows(); ++i) {
        for (Eigen::Index j = 0; j < i; ++j) {
            cosines += units.row(i).dot(units.row(j)) / 21;
        }
    }
    const ComplianceStatistics found = compliance_statistics(deltas);
    EXPECT_NEAR(found.explained, explained(deltas), rounding);
    EXPECT_NEAR(found.explained_unit, explained(units), rounding);
    EXPECT_NEAR(found.mean_cosine, cosines, rounding);
    EXPECT_GT(std::abs(found.explained - found.explained_unit), 0.01);
}

TEST(Compliance, ParallelDeltasAreExplainedWhole) {
    const Eigen::RowVectorXd direction = random_deltas(1, 30, 1).row(0);
    RowMatrix deltas(3, 30);
    deltas << direction, 2 * direction, 0.1 * direction;
    const ComplianceStatistics found = compliance_statistics(deltas);
    EXPECT_NEAR(found.explained, 1, rounding);
    EXPECT_NEAR(found.explained_unit, 1, rounding);
    EXPECT_NEAR(found.mean_cosine, 1, rounding);
}

TEST(Compliance, OppositeDeltasHaveNoCommonDirection) {
    RowMatrix deltas(2, 30);
    deltas.row(0) = random_deltas(1, 30, 1).row(0);
    deltas.row(1) = -deltas.row(0);
    const ComplianceStatistics found = compliance_statistics(deltas);
    EXPECT_TRUE(std::isnan(found.explained));
    EXPECT_TRUE(std::isnan(found.explained_unit));
    EXPECT_NEAR(found.mean_cosine, -1, rounding);
}

TEST(Compliance, LeavesOutDeltasOfLengthZero) {
    const RowMatrix deltas = random_deltas(4, 9, 8);
    RowMatrix with_zero = RowMatrix::Zero(6, 9);
    with_zero.row(1) = deltas.row(0);
    with_zero.bottomRows(3) = deltas.bottomRows(3);
    const ComplianceStatistics expected = compliance_statistics(deltas);
    const ComplianceStatistics found = compliance_statistics(with_zero);
    EXPECT_NEAR(found.explained, expected.explained, rounding);
    EXPECT_NEAR(found.explained_unit, expected.explained_unit, rounding);
    EXPECT_NEAR(found.mean_cosine, expected.mean_cosine, rounding);
}

TEST(Compliance, UndefinedForFewerThanTwoDeltasOrBrokenNumbers) {
    expect_undefined(compliance_statistics(RowMatrix(0, 5)));
    expect_undefined(compliance_statistics(random_deltas(1, 5, 1)));
    RowMatrix deltas = RowMatrix::Zero(3, 5);
    deltas(1, 2) = 1;
    expect_undefined(compliance_statistics(deltas));
    deltas = random_deltas(3, 5, 1);
    deltas(0, 0) = std::numeric_limits<double>::quiet_NaN();
    expect_undefined(compliance_statistics(deltas));
}

/// The mean and interval of the statistics of vectors that were really made.
ComplianceNull null_of_vectors(const std::vector<double> & lengths, std::size_t n_embd, std::size_t draws) {
    std::vector<double> explained;
    std::vector<double> explained_unit;
    std::vector<double> mean_cosine;
    for (std::size_t draw = 0; draw < draws; ++draw) {
        RowMatrix deltas = random_deltas(lengths.size(), n_embd, 1000 + draw).rowwise().normalized();
        for (std::size_t i = 0; i < lengths.size(); ++i) {
            deltas.row(static_cast<Eigen::Index>(i)) *= lengths[i];
        }
        const ComplianceStatistics drawn = compliance_statistics(deltas);
        explained.push_back(drawn.explained);
        explained_unit.push_back(drawn.explained_unit);
        mean_cosine.push_back(drawn.mean_cosine);
    }
    const auto null = [&](const std::vector<double> & values) {
        double mean = 0;
        for (const double value : values) {
            mean += value / double(draws);
        }
        const Interval interval = percentile_interval(values, 0.95);
        return Null{mean, interval.low, interval.high};
    };
    return {null(explained), null(explained_unit), null(mean_cosine)};
}

TEST(ComplianceNull, IsThatOfRandomVectorsWithTheseLengths) {
    const std::vector<double> lengths{1, 1, 2, 3, 10};
    constexpr std::size_t draws = 4000;
    const ComplianceNull found = compliance_null(lengths, 24, draws, 0.95, 7);
    const ComplianceNull made = null_of_vectors(lengths, 24, draws);
    // The spread of each statistic is about a quarter of its interval, of which 4000 draws leave 1/60 in a mean.
    const auto expect_like = [](const Null & a, const Null & b) {
        const double spread = (b.high - b.low) / 4;
        ASSERT_GT(spread, 0);
        EXPECT_NEAR(a.mean, b.mean, 0.1 * spread);
        EXPECT_NEAR(a.low, b.low, 0.3 * spread);
        EXPECT_NEAR(a.high, b.high, 0.3 * spread);
    };
    expect_like(found.explained, made.explained);
    expect_like(found.explained_unit, made.explained_unit);
    expect_like(found.mean_cosine, made.mean_cosine);
    EXPECT_GT(found.explained.mean, found.explained_unit.mean + 0.3); // one long delta explains most by itself
}

TEST(ComplianceNull, OfManyDimensionsIsOneOverTheNumberOfDeltas) {
    const ComplianceNull found = compliance_null(std::vector<double>(10, 3.0), 3584, 400, 0.95, 1);
    EXPECT_NEAR(found.explained.mean, 0.1, 0.01);
    EXPECT_NEAR(found.explained.mean, found.explained_unit.mean, rounding);
    EXPECT_NEAR(found.mean_cosine.mean, 0, 0.002);
    EXPECT_LT(found.mean_cosine.low, 0);
    EXPECT_GT(found.mean_cosine.high, 0);
}

TEST(ComplianceNull, DependsOnItsArgumentsAlone) {
    const std::vector<double> lengths{1, 2, 3};
    const ComplianceNull a = compliance_null(lengths, 100, 50, 0.9, 1);
    const ComplianceNull b = compliance_null(lengths, 100, 50, 0.9, 1);
    const ComplianceNull other_seed = compliance_null(lengths, 100, 50, 0.9, 2);
    EXPECT_EQ(a.explained.mean, b.explained.mean);
    EXPECT_EQ(a.mean_cosine.high, b.mean_cosine.high);
    EXPECT_NE(a.explained.mean, other_seed.explained.mean);
    EXPECT_LT(compliance_null(lengths, 100, 50, 0.5, 1).explained.high, a.explained.high);
}

TEST(ComplianceNull, UndefinedWithoutDrawsOrTwoDirections) {
    const std::vector<double> nothing{0, 2, 0};
    for (const ComplianceNull & found :
         {compliance_null(std::vector<double>{1, 1}, 10, 0, 0.95, 1), compliance_null(nothing, 10, 20, 0.95, 1),
          compliance_null({}, 10, 20, 0.95, 1), compliance_null(std::vector<double>{1, NAN}, 10, 20, 0.95, 1)}) {
        EXPECT_TRUE(std::isnan(found.explained.mean));
        EXPECT_TRUE(std::isnan(found.explained_unit.low));
        EXPECT_TRUE(std::isnan(found.mean_cosine.high));
    }
}

} // namespace
} // namespace valuelens
