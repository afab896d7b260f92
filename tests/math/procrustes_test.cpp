#include "math/procrustes.h"

#include <cmath>
#include <limits>

#include <Eigen/LU>
#include <gtest/gtest.h>

#include "math/reference.h"
#include "support/expect_error.h"

namespace valuelens {
namespace {

constexpr double rounding = 1e-12;

nlohmann::json scipy_cases() {
    return load_reference("shape_reference.json").at("procrustes");
}

TEST(Procrustes, AgreesWithScipy) {
    ASSERT_EQ(scipy_cases().size(), 10);
    for (const auto & example : scipy_cases()) {
        SCOPED_TRACE(example.at("name"));
        const RowMatrix target = reference_matrix(example.at("target"));
        const Procrustes found = procrustes(target, reference_matrix(example.at("points")));
        EXPECT_NEAR(found.disparity, example.at("disparity").get<double>(), rounding);
        EXPECT_NEAR(found.scale * found.scale, 1 - found.disparity, rounding);
        EXPECT_NEAR((standard_form(target) - found.fitted).squaredNorm(), found.disparity, rounding);
        EXPECT_LT((found.fitted - reference_matrix(example.at("fitted"))).norm(), 1e-10);
    }
}

TEST(Procrustes, InThePlaneTheShortFormIsTheSame) {
    for (const auto & example : scipy_cases()) {
        const RowMatrix target = reference_matrix(example.at("target"));
        if (target.cols() == 2) {
            EXPECT_NEAR(plane_r_squared(standard_form(target), standard_form(reference_matrix(example.at("points")))),
                        1 - example.at("disparity").get<double>(), rounding)
                << example.at("name");
        }
    }
}

TEST(Procrustes, PlacesAMirroredTurnedScaledCopyOntoTheTarget) {
    for (const auto & example : scipy_cases()) {
        if (example.at("name") != "mirrored" && example.at("name") != "turned, moved, scaled") {
            continue;
        }
        const RowMatrix target = reference_matrix(example.at("target"));
        const Procrustes found = procrustes(target, reference_matrix(example.at("points")));
        EXPECT_LT((found.placed - target).norm(), 1e-10);
        EXPECT_NEAR(found.rotation.determinant(), example.at("name") == "mirrored" ? -1 : 1, 1e-10);
        EXPECT_LT((found.rotation * found.rotation.transpose() - RowMatrix::Identity(2, 2)).norm(), 1e-10);
    }
}

TEST(Procrustes, NeedsThreePoints) {
    const RowMatrix two{{0.0, 1.0}, {1.0, 0.0}};
    expect_error(ErrorKind::bad_input, {"at least 3 points", "got 2"}, [&] { procrustes(two, two); });
}

TEST(Procrustes, RefusesPointsWithoutAShape) {
    const RowMatrix triangle{{0.0, 1.0}, {1.0, 0.0}, {2.0, 2.0}};
    const RowMatrix same{{0.1, 0.3}, {0.1, 0.3}, {0.1, 0.3}};
    expect_error(ErrorKind::bad_input, {"all 3 points are equal"}, [&] { procrustes(triangle, same); });
    expect_error(ErrorKind::bad_input, {"all 3 points are equal"}, [&] { procrustes(same, triangle); });
    expect_error(ErrorKind::bad_input, {"all 3 points are equal"}, [&] { standard_form(RowMatrix::Zero(3, 2)); });
}

TEST(Procrustes, RefusesOtherShapesAndBrokenNumbers) {
    const RowMatrix triangle{{0.0, 1.0}, {1.0, 0.0}, {2.0, 2.0}};
    expect_error(ErrorKind::bad_input, {"[3, 2]", "[4, 2]"}, [&] { procrustes(triangle, RowMatrix::Random(4, 2)); });
    RowMatrix broken = triangle;
    broken(1, 1) = std::numeric_limits<double>::quiet_NaN();
    expect_error(ErrorKind::bad_input, {"not finite"}, [&] { procrustes(triangle, broken); });
}

} // namespace
} // namespace valuelens
