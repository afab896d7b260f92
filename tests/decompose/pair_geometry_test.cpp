#include "decompose/pair_geometry.h"

#include <cmath>

#include <Eigen/QR>
#include <gtest/gtest.h>

#include "base/random.h"
#include "math/vector_ops.h"

namespace valuelens {
namespace {

constexpr std::size_t n_embd = 24;
/// Rotated and scaled inputs are rounded to float32 again.
constexpr double float_rounding = 1e-5;

using Floats = std::vector<float>;

Floats random_floats(std::uint64_t seed, double scale = 1) {
    Rng rng(seed);
    Floats result(n_embd);
    for (float & x : result) {
        x = static_cast<float>(scale * rng.normal());
    }
    return result;
}

Floats times(const Floats & vector, float factor) {
    Floats result(vector);
    for (float & x : result) {
        x *= factor;
    }
    return result;
}

double distance(const std::vector<double> & a, const std::vector<double> & b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    }
    return std::sqrt(sum);
}

std::vector<double> negative(std::vector<double> vector) {
    for (double & x : vector) {
        x = -x;
    }
    return vector;
}

class PairGeometryOf : public testing::TestWithParam<bool> {
protected:
    const Floats v_int = random_floats(1);
    const Floats v_prompted = random_floats(2, 3);

    PairAxes analyse(const Floats & a, const Floats & b) const { return analyse_pair(a, b, GetParam()); }
};

TEST_P(PairGeometryOf, AxesAreOrthonormalAndSigned) {
    const PairAxes pair = analyse(v_int, v_prompted);
    EXPECT_EQ(pair.geometry.undefined, "");
    EXPECT_NEAR(norm(pair.shared), 1, 1e-12);
    EXPECT_NEAR(norm(pair.intrinsic), 1, 1e-12);
    EXPECT_NEAR(dot(pair.shared, pair.intrinsic), 0, 1e-12);
    const double unit_int = GetParam() ? norm(v_int) : 1;
    const double unit_prompted = GetParam() ? norm(v_prompted) : 1;
    EXPECT_GE(dot(pair.shared, v_int) / unit_int + dot(pair.shared, v_prompted) / unit_prompted, -1e-12);
    EXPECT_GE(dot(pair.intrinsic, v_int) / unit_int - dot(pair.intrinsic, v_prompted) / unit_prompted, -1e-12);
    EXPECT_NEAR(pair.geometry.sigma_ratio.value, pair.geometry.sigma_2 / pair.geometry.sigma_1, 1e-15);
    EXPECT_NEAR(dot(pair.intrinsic_orth, v_prompted), 0, 1e-12);
    EXPECT_NEAR(dot(pair.prompted_orth, v_int), 0, 1e-12);
}

TEST_P(PairGeometryOf, RotatingTheInputsRotatesTheAxes) {
    Rng rng(5);
    Eigen::MatrixXd any(n_embd, n_embd);
    for (double & x : any.reshaped()) {
        x = rng.normal();
    }
    const Eigen::MatrixXd rotation = Eigen::HouseholderQR<Eigen::MatrixXd>(any).householderQ();
    const auto rotated = [&](const auto & vector) {
        Eigen::VectorXd plain(n_embd);
        std::copy(vector.begin(), vector.end(), plain.begin());
        const Eigen::VectorXd turned = rotation * plain;
        return std::vector<double>(turned.begin(), turned.end());
    };
    const auto rotated_floats = [&](const Floats & vector) {
        const std::vector<double> turned = rotated(vector);
        return Floats(turned.begin(), turned.end());
    };
    const PairAxes before = analyse(v_int, v_prompted);
    const PairAxes after = analyse(rotated_floats(v_int), rotated_floats(v_prompted));
    EXPECT_LT(distance(rotated(before.shared), after.shared), float_rounding);
    EXPECT_LT(distance(rotated(before.intrinsic), after.intrinsic), float_rounding);
    EXPECT_LT(distance(rotated(before.intrinsic_orth), after.intrinsic_orth), float_rounding);
    EXPECT_LT(distance(rotated(before.prompted_orth), after.prompted_orth), 3 * float_rounding);
    EXPECT_NEAR(before.geometry.sigma_2, after.geometry.sigma_2, float_rounding);
}

TEST_P(PairGeometryOf, SwappingTheConditionsTurnsTheUniqueAxisAround) {
    const PairAxes before = analyse(v_int, v_prompted);
    const PairAxes after = analyse(v_prompted, v_int);
    if (before.geometry.cosine.value > 0 || !GetParam()) { // else the sign of the first axis follows the first vector
        EXPECT_LT(distance(before.shared, after.shared), 1e-12);
    }
    EXPECT_LT(distance(before.intrinsic, negative(after.intrinsic)), 1e-12);
    EXPECT_LT(distance(before.intrinsic_orth, after.prompted_orth), 1e-12);
    EXPECT_EQ(before.geometry.norm_intrinsic, after.geometry.norm_prompted);
    EXPECT_NEAR(before.geometry.sigma_1, after.geometry.sigma_1, 1e-12);
}

TEST_P(PairGeometryOf, ScalingBothScalesLengthsAlone) {
    const PairAxes before = analyse(v_int, v_prompted);
    const PairAxes after = analyse(times(v_int, 4), times(v_prompted, 4)); // a power of two: exact
    EXPECT_LT(distance(before.shared, after.shared), 1e-12);
    EXPECT_LT(distance(before.intrinsic, after.intrinsic), 1e-12);
    EXPECT_NEAR(after.geometry.sigma_1 / before.geometry.sigma_1, GetParam() ? 1 : 4, 1e-12);
    EXPECT_NEAR(norm(after.intrinsic_orth) / norm(before.intrinsic_orth), 4, 1e-12);
}

TEST_P(PairGeometryOf, ScalingOneChangesTheSvdOnlyWhereLengthsCount) {
    const PairAxes before = analyse(v_int, v_prompted);
    const PairAxes after = analyse(times(v_int, 4), v_prompted);
    EXPECT_NEAR(norm(after.intrinsic_orth) / norm(before.intrinsic_orth), 4, 1e-12);
    EXPECT_LT(distance(before.prompted_orth, after.prompted_orth), 1e-12);
    EXPECT_NEAR(before.geometry.cosine.value, after.geometry.cosine.value, 1e-12);
    if (GetParam()) {
        EXPECT_LT(distance(before.shared, after.shared), 1e-12);
    } else {
        EXPECT_GT(distance(before.shared, after.shared), 0.01);
    }
    // |V|^2 = sigma_1^2 + sigma_2^2, and the area is kept times four.
    const PairGeometry & a = before.geometry;
    const PairGeometry & b = after.geometry;
    const double expected = GetParam() ? 2 : 16 * dot(v_int, v_int) + dot(v_prompted, v_prompted);
    EXPECT_NEAR(b.sigma_1 * b.sigma_1 + b.sigma_2 * b.sigma_2, expected, 1e-9);
    EXPECT_NEAR(b.sigma_1 * b.sigma_2, (GetParam() ? 1 : 4) * a.sigma_1 * a.sigma_2, 1e-9);
}

TEST_P(PairGeometryOf, WhatIsUndefinedIsNaNWithItsReason) {
    const Floats zero(n_embd, 0);
    Floats broken = v_int;
    broken[3] = NAN;
    const std::vector<std::tuple<Floats, Floats, std::string>> cases{{zero, v_prompted, "the intrinsic vector is zero"},
                                                                     {v_int, zero, "the prompted vector is zero"},
                                                                     {zero, zero, "both vectors are zero"},
                                                                     {v_int, times(v_int, 3), "parallel"},
                                                                     {v_int, times(v_int, -0.7f), "parallel"},
                                                                     {broken, v_prompted, "not finite"}};
    for (const auto & [a, b, words] : cases) {
        const PairAxes pair = analyse(a, b);
        EXPECT_NE(pair.geometry.undefined.find(words), std::string::npos) << pair.geometry.undefined;
        for (const auto * axis : {&pair.shared, &pair.intrinsic}) {
            ASSERT_EQ(axis->size(), n_embd);
            EXPECT_TRUE(std::isnan(axis->front()) && std::isnan(axis->back())) << words;
        }
    }
    EXPECT_EQ(analyse(zero, v_prompted).intrinsic_orth, std::vector<double>(n_embd, 0));
    EXPECT_TRUE(std::isnan(analyse(zero, v_prompted).prompted_orth[0]));
    EXPECT_TRUE(std::isnan(analyse(v_int, times(v_int, 3)).intrinsic_orth[0]));
    EXPECT_EQ(analyse(v_int, times(v_int, 1e-7f)).geometry.undefined.empty(), false);
}

INSTANTIATE_TEST_SUITE_P(RawAndNormalized, PairGeometryOf, testing::Bool(),
                         [](const auto & case_) { return case_.param ? "normalized" : "raw"; });

TEST(AnalysePair, NormalizedAxesAreSumAndDifferenceOfTheDirections) {
    const Floats a{1, 0, 0};
    const Floats b{30, 40, 0};
    const PairAxes pair = analyse_pair(a, b, true);
    const double along = std::sqrt(0.8);
    EXPECT_NEAR(pair.shared[0], along, 1e-12); // (1, 0) + (0.6, 0.8) = (1.6, 0.8)
    EXPECT_NEAR(pair.shared[1], along / 2, 1e-12);
    EXPECT_NEAR(pair.intrinsic[0], std::sqrt(0.2), 1e-12); // (0.4, -0.8)
    EXPECT_NEAR(pair.intrinsic[1], -std::sqrt(0.8), 1e-12);
    EXPECT_NEAR(pair.geometry.sigma_1, std::sqrt(1.6), 1e-12);
    EXPECT_NEAR(pair.geometry.norm_prompted, 50, 1e-12);
    const PairAxes orthogonal = analyse_pair(a, Floats{0, 7, 0}, true);
    EXPECT_NE(orthogonal.geometry.undefined.find("equally long"), std::string::npos);
    EXPECT_TRUE(std::isnan(orthogonal.shared[0]));
    EXPECT_EQ(analyse_pair(a, Floats{0, 7, 0}, false).shared, (std::vector<double>{0, 1, 0}));
}

} // namespace
} // namespace valuelens
