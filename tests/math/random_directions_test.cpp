#include "math/random_directions.h"

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <Eigen/LU>
#include <gtest/gtest.h>

#include "support/two_samples.h"

namespace valuelens {
namespace {

constexpr std::size_t draws = 6000;

/// The cosines by making the vectors.
RowMatrix cosines_of_vectors(std::size_t n, std::size_t dimension, Rng & rng) {
    RowMatrix vectors(static_cast<Eigen::Index>(n), static_cast<Eigen::Index>(dimension));
    for (Eigen::Index i = 0; i < vectors.rows(); ++i) {
        for (Eigen::Index j = 0; j < vectors.cols(); ++j) {
            vectors(i, j) = rng.normal();
        }
        vectors.row(i).normalize();
    }
    return vectors * vectors.transpose();
}

/// What the nulls use a matrix of cosines for, and single entries: name to draws.
template <typename Draw>
std::map<std::string, std::vector<double>> statistics(std::size_t n, std::size_t dimension, std::uint64_t seed,
                                                      Draw draw) {
    Rng rng(seed);
    std::map<std::string, std::vector<double>> result;
    for (std::size_t i = 0; i < draws; ++i) {
        const RowMatrix cosines = draw(n, dimension, rng);
        const Eigen::Index last = cosines.rows() - 1;
        result["first pair"].push_back(cosines(1, 0));
        result["last pair"].push_back(cosines(last, last - 1));
        result["first and last"].push_back(cosines(0, last));
        result["length of the sum"].push_back(cosines.sum());
        result["sum of squares"].push_back(cosines.squaredNorm());
        result["triple"].push_back(cosines(0, 1) * cosines(1, 2) * cosines(2, 0));
        result["determinant"].push_back(cosines.topLeftCorner(3, 3).determinant());
    }
    return result;
}

TEST(ChiSquared, HasTheDistributionOfASumOfSquaredNormals) {
    for (const std::size_t degrees : {1, 2, 3, 7, 40}) {
        Rng drawn(1);
        Rng summed(2);
        std::vector<double> a;
        std::vector<double> b;
        for (std::size_t i = 0; i < draws; ++i) {
            a.push_back(chi_squared(drawn, degrees));
            double sum = 0;
            for (std::size_t k = 0; k < degrees; ++k) {
                const double x = summed.normal();
                sum += x * x;
            }
            b.push_back(sum);
        }
        EXPECT_LT(sample_distance(a, b), largest_chance_distance(draws, draws)) << degrees;
    }
}

TEST(ChiSquared, HasItsMeanAndVarianceAtTheWidthOfAModel) {
    constexpr double degrees = 3584;
    Rng rng(4);
    double sum = 0;
    double squares = 0;
    for (std::size_t i = 0; i < draws; ++i) {
        const double x = chi_squared(rng, 3584) - degrees;
        sum += x / double(draws);
        squares += x * x / double(draws);
    }
    const double standard_deviation = std::sqrt(2 * degrees);
    EXPECT_NEAR(sum, 0, 5 * standard_deviation / std::sqrt(double(draws)));
    EXPECT_NEAR(squares / (2 * degrees), 1, 5 * std::sqrt(2.0 / double(draws)));
}

TEST(RandomDirectionCosines, HaveTheDistributionOfRealVectors) {
    // More dimensions than vectors, as many, and fewer.
    for (const std::size_t dimension : {40, 6, 5, 3, 2}) {
        const auto without = statistics(5, dimension, 10 + dimension, random_direction_cosines);
        const auto with = statistics(5, dimension, 90 + dimension, cosines_of_vectors);
        for (const auto & [name, values] : without) {
            if (name == "determinant" && dimension < 3) {
                continue; // zero up to rounding in both
            }
            EXPECT_LT(sample_distance(values, with.at(name)), largest_chance_distance(draws, draws))
                << name << " in " << dimension << " dimensions";
        }
    }
}

TEST(RandomDirectionCosines, TheComparisonTellsOneDimensionMore) {
    const auto six = statistics(5, 6, 1, random_direction_cosines);
    const auto five = statistics(5, 5, 2, cosines_of_vectors);
    EXPECT_GT(sample_distance(six.at("sum of squares"), five.at("sum of squares")),
              largest_chance_distance(draws, draws));
}

TEST(RandomDirectionCosines, AreCosines) {
    Rng rng(3);
    for (const std::size_t dimension : {1, 4, 4096}) {
        const RowMatrix cosines = random_direction_cosines(8, dimension, rng);
        EXPECT_LT((cosines.diagonal().array() - 1).abs().maxCoeff(), 1e-12);
        EXPECT_LT((cosines - cosines.transpose()).norm(), 1e-12);
        EXPECT_LE(cosines.cwiseAbs().maxCoeff(), 1 + 1e-12);
    }
    EXPECT_EQ(random_direction_cosines(0, 5, rng).size(), 0);
}

TEST(RandomDirectionCosines, DependOnTheSeedAlone) {
    Rng a(5);
    Rng b(5);
    Rng c(6);
    const RowMatrix first = random_direction_cosines(10, 100, a);
    EXPECT_EQ(first, random_direction_cosines(10, 100, b));
    EXPECT_NE(first, random_direction_cosines(10, 100, c));
}

} // namespace
} // namespace valuelens
