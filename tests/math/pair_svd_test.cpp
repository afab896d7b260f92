#include "math/pair_svd.h"

#include <cmath>
#include <vector>

#include <Eigen/SVD>
#include <gtest/gtest.h>

#include "base/random.h"
#include "math/vector_ops.h"

namespace valuelens {
namespace {

using Vector = std::vector<double>;

Vector random_vector(Rng & rng, std::size_t n, double scale = 1) {
    Vector result(n);
    for (double & x : result) {
        x = scale * rng.normal();
    }
    return result;
}

Vector combine(const std::array<double, 2> & coefficients, const Vector & a, const Vector & b) {
    Vector result(a.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
        result[i] = coefficients[0] * a[i] + coefficients[1] * b[i];
    }
    return result;
}

TEST(PairSvd, AgreesWithAGeneralSvd) {
    Rng rng(1);
    for (const double scale : {1.0, 1e-3, 40.0}) {
        const Vector a = random_vector(rng, 57);
        const Vector b = random_vector(rng, 57, scale);
        Eigen::MatrixXd both(57, 2);
        both.col(0) = Eigen::Map<const Eigen::VectorXd>(a.data(), 57);
        both.col(1) = Eigen::Map<const Eigen::VectorXd>(b.data(), 57);
        const Eigen::JacobiSVD<Eigen::MatrixXd> expected(both, Eigen::ComputeThinU);
        const PairSvd svd = pair_svd(a, b);
        ASSERT_EQ(svd.defect, PairDefect::none);
        EXPECT_NEAR(svd.sigma_1 / expected.singularValues()[0], 1, 1e-13);
        EXPECT_NEAR(svd.sigma_2 / expected.singularValues()[1], 1, 1e-11);
        const Vector first = combine(svd.first, a, b);
        const Vector second = combine(svd.second, a, b);
        const Vector u1(expected.matrixU().col(0).begin(), expected.matrixU().col(0).end());
        const Vector u2(expected.matrixU().col(1).begin(), expected.matrixU().col(1).end());
        EXPECT_NEAR(std::abs(dot(first, u1)), 1, 1e-12);
        EXPECT_NEAR(std::abs(dot(second, u2)), 1, 1e-9);
        EXPECT_NEAR(norm(first), 1, 1e-12);
        EXPECT_NEAR(norm(second), 1, 1e-9);
        EXPECT_GE(dot(first, combine({1, 1}, a, b)), 0);
        EXPECT_GE(dot(second, combine({1, -1}, a, b)), 0);
    }
}

TEST(PairSvd, OfInnerProductsIsThatOfTheVectors) {
    Rng rng(2);
    const Vector a = random_vector(rng, 20);
    const Vector b = random_vector(rng, 20, 3);
    const PairSvd whole = pair_svd(a, b);
    const PairSvd products = pair_svd_of_products(dot(a, a), dot(a, b), dot(b, b));
    EXPECT_NEAR(products.sigma_1, whole.sigma_1, 1e-12);
    EXPECT_NEAR(products.sigma_2, whole.sigma_2, 1e-12);
    for (std::size_t k = 0; k < 2; ++k) {
        EXPECT_NEAR(products.first[k], whole.first[k], 1e-12);
        EXPECT_NEAR(products.second[k], whole.second[k], 1e-12);
    }
}

TEST(PairSvd, SmallSecondValueKeepsItsDigits) {
    // a and b at an angle of 1e-5 to each other: sigma_2 = 2 sin(angle / 2) / sqrt(2).
    const double angle = 1e-5;
    const PairSvd svd = pair_svd(Vector{1, 0, 0}, Vector{std::cos(angle), 0, std::sin(angle)});
    ASSERT_EQ(svd.defect, PairDefect::none);
    EXPECT_NEAR(svd.sigma_2 / (std::sqrt(2.0) * std::sin(angle / 2)), 1, 1e-9);
    const Vector second = combine(svd.second, {1, 0, 0}, {std::cos(angle), 0, std::sin(angle)});
    EXPECT_NEAR(second[2], -1, 1e-9); // a - b points down
}

TEST(PairSvd, ParallelAndAntiparallelAreSaidNotGuessed) {
    Rng rng(3);
    const Vector a = random_vector(rng, 100);
    for (const double factor : {2.0, 1.0, -1.0, -0.25}) {
        Vector b = a;
        for (double & x : b) {
            x = static_cast<double>(static_cast<float>(factor * x / 3)); // what float32 leaves of b = factor a / 3
        }
        const PairSvd svd = pair_svd(a, b);
        EXPECT_EQ(svd.defect, PairDefect::parallel) << factor;
        EXPECT_NEAR(svd.sigma_1, norm(a) * std::hypot(1, factor / 3), 1e-6 * norm(a));
        EXPECT_EQ(svd.first, (std::array<double, 2>{}));
    }
}

TEST(PairSvd, ZeroVectorsAreNamed) {
    const Vector zero(4, 0.0);
    const Vector a{0, 3, 0, 4};
    EXPECT_EQ(pair_svd(zero, a).defect, PairDefect::a_zero);
    EXPECT_EQ(pair_svd(a, zero).defect, PairDefect::b_zero);
    EXPECT_EQ(pair_svd(zero, zero).defect, PairDefect::both_zero);
    EXPECT_EQ(pair_svd(zero, a).sigma_1, 5);
    EXPECT_EQ(pair_svd(zero, a).sigma_2, 0);
    EXPECT_EQ(pair_svd_of_products(0, 0, 25).sigma_1, 5);
    EXPECT_EQ(pair_svd_of_products(0, 0, 25).defect, PairDefect::a_zero);
    EXPECT_EQ(pair_svd(a, Vector{0, 0, 1e-7, 0}).defect, PairDefect::negligible);
}

TEST(PairSvd, NumbersThatAreNotFiniteAreNamed) {
    for (const double bad : {NAN, INFINITY}) {
        const PairSvd left = pair_svd(Vector{bad, 1}, Vector{1, 0});
        const PairSvd right = pair_svd(Vector{1, 0}, Vector{bad, 1});
        EXPECT_EQ(left.defect, PairDefect::not_finite);
        EXPECT_EQ(right.defect, PairDefect::not_finite);
        EXPECT_TRUE(std::isnan(left.sigma_1) && std::isnan(right.sigma_2));
    }
    EXPECT_EQ(pair_svd_of_products(NAN, NAN, NAN).defect, PairDefect::not_finite);
    EXPECT_EQ(pair_svd_of_products(1, NAN, 1).defect, PairDefect::not_finite);
}

TEST(PairSvd, EqualSingularValuesLeaveThePlaneWithoutAxes) {
    EXPECT_EQ(pair_svd(Vector{1, 0, 0}, Vector{0, 1, 0}).defect, PairDefect::equal_sigmas);
    EXPECT_EQ(pair_svd(Vector{1, 0, 0}, Vector{0, 1.01, 0}).defect, PairDefect::none);
}

TEST(PairSvd, AmbiguousSignsFollowTheFirstVector) {
    // Unit vectors at 120 degrees: u_1 lies along a - b, orthogonal to a + b.
    const Vector a{1, 0};
    const Vector b{-0.5, std::sqrt(0.75)};
    const PairSvd svd = pair_svd(a, b);
    EXPECT_NEAR(dot(combine(svd.first, a, b), combine({1, 1}, a, b)), 0, 1e-12);
    EXPECT_GT(dot(combine(svd.first, a, b), a), 0.8);
    EXPECT_GT(dot(combine(svd.second, a, b), a), 0.4);
    const PairSvd swapped = pair_svd(b, a);
    EXPECT_GT(dot(combine(swapped.first, b, a), b), 0.8);
}

TEST(OrthogonalFactor, LeavesARestThatIsOrthogonal) {
    Rng rng(4);
    const Vector a = random_vector(rng, 30);
    const Vector b = random_vector(rng, 30, 5);
    EXPECT_NEAR(dot(combine({1, -orthogonal_factor(a, b)}, a, b), b), 0, 1e-12 * norm(a) * norm(b));
    EXPECT_EQ(orthogonal_factor(Vector(30, 0.0), b), 0);
    EXPECT_TRUE(std::isnan(orthogonal_factor(a, Vector(30, 0.0))));
    EXPECT_TRUE(std::isnan(orthogonal_factor(a, a)));
    EXPECT_TRUE(std::isnan(orthogonal_factor(a, Vector(30, NAN))));
}

} // namespace
} // namespace valuelens
