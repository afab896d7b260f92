#include "decompose/circle.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <numbers>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "math/row_matrix.h"
#include "support/expect_error.h"
#include "support/two_samples.h"

namespace valuelens {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr float nan_float = std::numeric_limits<float>::quiet_NaN();

nlohmann::json reference() {
    std::ifstream file(VALUELENS_SOURCE_DIR "/tests/decompose/circle_reference.json");
    return nlohmann::json::parse(file);
}

/// Axes of the ten shipped values: room for n_layer layers.
AxisSet empty_set(std::size_t n_layer, std::size_t n_embd) {
    AxisSet set;
    set.n_layer = n_layer;
    set.n_embd = n_embd;
    for (const Concept & concept_ : schwartz10().concepts) {
        set.values.push_back(concept_.id);
        ValueAxes & axes = set.axes.emplace_back();
        axes.value = concept_.id;
        axes.layers.resize(n_layer);
        axes.shared.resize(n_layer * n_embd);
        axes.intrinsic.resize(n_layer * n_embd);
        axes.prompted.resize(n_layer * n_embd);
    }
    return set;
}

/// Puts the rows [n_value, n_embd] in as shared and intrinsic axes.
void put(AxisSet & set, std::size_t layer, const RowMatrix & rows) {
    for (std::size_t i = 0; i < set.axes.size(); ++i) {
        const Eigen::RowVectorXf axis = rows.row(static_cast<Eigen::Index>(i)).normalized().cast<float>();
        const auto at = static_cast<std::ptrdiff_t>(layer * set.n_embd);
        std::copy(axis.begin(), axis.end(), set.axes[i].shared.begin() + at);
        std::copy(axis.begin(), axis.end(), set.axes[i].intrinsic.begin() + at);
        std::transform(axis.begin(), axis.end(), set.axes[i].prompted.begin() + at, std::negate<>());
    }
}

RowMatrix random_rows(std::size_t rows, std::size_t columns, Rng & rng) {
    RowMatrix result(static_cast<Eigen::Index>(rows), static_cast<Eigen::Index>(columns));
    for (double & x : result.reshaped<Eigen::RowMajor>()) {
        x = rng.normal();
    }
    return result;
}

/// The values' circle in a random plane, beside a common direction and noise of length `noise`.
RowMatrix planted_circle(std::size_t n_embd, double noise, std::uint64_t seed) {
    Rng rng(seed);
    const RowMatrix plane = random_rows(3, n_embd, rng).rowwise().normalized();
    RowMatrix rows = random_rows(10, n_embd, rng).rowwise().normalized() * noise;
    const ConceptSet concepts = schwartz10();
    for (Eigen::Index i = 0; i < rows.rows(); ++i) {
        const double angle = *concepts.concepts[static_cast<std::size_t>(i)].angle * std::numbers::pi / 180;
        rows.row(i) += std::cos(angle) * plane.row(0) + std::sin(angle) * plane.row(1) + 2 * plane.row(2);
    }
    return rows;
}

std::vector<Circle> analyse(const AxisSet & set, const ConceptSet & concepts = schwartz10(),
                            std::vector<std::string> * notes = nullptr, unsigned threads = 2) {
    std::vector<std::string> dropped;
    return analyse_circles(set, concepts, notes != nullptr ? *notes : dropped, threads, silent_progress(), {});
}

void expect_equal(const CircleLayer & a, const CircleLayer & b) {
    EXPECT_EQ(a.even.r_squared, b.even.r_squared);
    EXPECT_EQ(a.even.p, b.even.p);
    EXPECT_EQ(a.even.null.mean, b.even.null.mean);
    EXPECT_EQ(a.wedges.r_squared, b.wedges.r_squared);
    EXPECT_EQ(a.wedges.p, b.wedges.p);
    EXPECT_EQ(a.explained_1, b.explained_1);
    EXPECT_EQ(a.plane, b.plane);
    EXPECT_EQ(a.nearest, b.nearest);
    EXPECT_EQ(a.opposite, b.opposite);
}

TEST(Circle, AgreesWithScikitLearnAndScipy) {
    const nlohmann::json cases = reference().at("cases");
    ASSERT_EQ(cases.size(), 3);
    AxisSet set = empty_set(cases.size(), cases[0].at("axes")[0].size());
    for (std::size_t layer = 0; layer < cases.size(); ++layer) {
        RowMatrix rows(10, static_cast<Eigen::Index>(set.n_embd));
        for (std::size_t i = 0; i < 10; ++i) {
            const auto row = cases[layer].at("axes")[i].get<std::vector<double>>();
            rows.row(static_cast<Eigen::Index>(i)) = Eigen::Map<const Eigen::RowVectorXd>(row.data(), rows.cols());
        }
        put(set, layer, rows);
    }
    constexpr double of_floats = 1e-6;
    const std::vector<Circle> circles = analyse(set);
    ASSERT_EQ(circles.size(), 3);
    for (const Circle & circle : circles) {
        for (std::size_t layer = 0; layer < cases.size(); ++layer) {
            const CircleLayer & found = circle.layers[layer];
            EXPECT_NEAR(found.even.r_squared, cases[layer].at("even").get<double>(), of_floats);
            EXPECT_NEAR(found.wedges.r_squared, cases[layer].at("wedges").get<double>(), of_floats);
            EXPECT_NEAR(found.explained_1, cases[layer].at("explained")[0].get<double>(), of_floats);
            EXPECT_NEAR(found.explained_2, cases[layer].at("explained")[1].get<double>(), of_floats);
        }
    }
}

TEST(Circle, FindsAPlantedCircle) {
    AxisSet set = empty_set(1, 64);
    put(set, 0, planted_circle(64, 0.05, 1));
    const std::vector<Circle> circles = analyse(set);
    ASSERT_EQ(circles.size(), 3);
    EXPECT_EQ(circles[0].kind, AxisKind::shared);
    EXPECT_EQ(circles[1].kind, AxisKind::intrinsic);
    EXPECT_EQ(circles[2].kind, AxisKind::prompted);
    const CircleLayer & found = circles[0].layers[0];
    EXPECT_EQ(found.undefined, "");
    EXPECT_GT(found.even.r_squared, 0.99);
    // 20 of the 10! orders fit as well: chance meets none of them in 999.
    EXPECT_DOUBLE_EQ(found.even.p, 0.001);
    EXPECT_LT(found.even.null.high, 0.6);
    EXPECT_GT(found.wedges.r_squared, 0.9);
    EXPECT_LT(found.wedges.r_squared, found.even.r_squared);
    EXPECT_LE(found.wedges.p, 0.005);
    EXPECT_GT(found.explained_1 + found.explained_2, 0.95);

    // The components lie on the theoretical circle itself, not on a turned or mirrored one.
    const ConceptSet concepts = schwartz10();
    for (std::size_t i = 0; i < 10; ++i) {
        const double angle = *concepts.concepts[i].angle * std::numbers::pi / 180;
        EXPECT_NEAR(found.plane[i].first, std::cos(angle), 0.1);
        EXPECT_NEAR(found.plane[i].second, std::sin(angle), 0.1);
        EXPECT_EQ(found.opposite[i], circles[0].theoretical_opposite[i]);
    }
}

TEST(Circle, FindsNoneWhereTheValuesStandInAnotherOrder) {
    AxisSet set = empty_set(1, 64);
    const RowMatrix planted = planted_circle(64, 0.05, 1);
    const std::vector<int> star{0, 3, 6, 9, 2, 5, 8, 1, 4, 7}; // each third: neighbours come to stand far apart
    put(set, 0, planted(star, Eigen::all));
    const CircleFit found = analyse(set)[0].layers[0].even;
    EXPECT_LT(found.r_squared, 0.05);
    EXPECT_GT(found.p, 0.5);
}

TEST(Circle, OfRandomDirectionsHasAUniformPAndLiesInsideTheNull) {
    constexpr std::size_t n_layer = 300;
    AxisSet set = empty_set(n_layer, 48);
    Rng rng(12);
    for (std::size_t layer = 0; layer < n_layer; ++layer) {
        put(set, layer, random_rows(10, set.n_embd, rng));
    }
    set.options.null_draws = 1000;
    const std::vector<Circle> circles = analyse(set);
    std::vector<double> even_p;
    std::vector<double> wedge_p;
    std::vector<double> uniform;
    double inside = 0;
    double mean = 0;
    for (std::size_t layer = 0; layer < n_layer; ++layer) {
        const CircleLayer & found = circles[0].layers[layer];
        even_p.push_back(found.even.p);
        wedge_p.push_back(found.wedges.p);
        uniform.push_back((double(layer) + 0.5) / n_layer);
        inside += found.even.r_squared >= found.even.null.low && found.even.r_squared <= found.even.null.high;
        mean += found.even.r_squared / n_layer;
    }
    // The bound for two samples of chance; the uniform numbers here are exact, so it is wide by a factor 1.4.
    EXPECT_LT(sample_distance(even_p, uniform), largest_chance_distance(n_layer, n_layer));
    EXPECT_LT(sample_distance(wedge_p, uniform), largest_chance_distance(n_layer, n_layer));
    // A share of 0.95 of 300 has a standard error of 0.013; R^2 here has a standard deviation of about 0.11.
    EXPECT_NEAR(inside / n_layer, 0.95, 0.05);
    EXPECT_NEAR(mean, circles[0].layers[0].even.null.mean, 5 * 0.11 / std::sqrt(double(n_layer)));
}

TEST(Circle, NullIsThatOfVectorsReallyMade) {
    const nlohmann::json nulls = reference().at("nulls");
    ASSERT_EQ(nulls.size(), 2);
    for (const auto & made : nulls) {
        AxisSet set = empty_set(1, made.at("n_embd").get<std::size_t>());
        set.options.null_draws = 4000;
        Rng rng(2);
        put(set, 0, random_rows(10, set.n_embd, rng));
        const CircleLayer found = analyse(set)[0].layers[0];
        // Both have 4000 draws of a standard deviation of 0.11: five standard errors of a mean's difference; the tails
        // are known less well.
        const auto expect_like = [](const Null & null, const nlohmann::json & expected) {
            EXPECT_NEAR(null.mean, expected[0].get<double>(), 0.0125);
            EXPECT_NEAR(null.low, expected[1].get<double>(), 0.01);
            EXPECT_NEAR(null.high, expected[2].get<double>(), 0.04);
        };
        expect_like(found.even.null, made.at("even"));
        expect_like(found.wedges.null, made.at("wedges"));
    }
}

TEST(Circle, OfMirroredAxesIsTheSame) {
    AxisSet set = empty_set(3, 30);
    Rng rng(3);
    for (std::size_t layer = 0; layer < 3; ++layer) {
        put(set, layer, random_rows(10, set.n_embd, rng));
    }
    const std::vector<Circle> circles = analyse(set);
    for (std::size_t layer = 0; layer < 3; ++layer) {
        expect_equal(circles[1].layers[layer], circles[2].layers[layer]);
    }
    expect_equal(circles[1].range, circles[2].range);
}

TEST(Circle, DependsOnTheSeedNotOnThreads) {
    AxisSet set = empty_set(6, 30);
    Rng rng(4);
    for (std::size_t layer = 0; layer < 6; ++layer) {
        put(set, layer, random_rows(10, set.n_embd, rng));
    }
    const std::vector<Circle> one = analyse(set, schwartz10(), nullptr, 1);
    const std::vector<Circle> four = analyse(set, schwartz10(), nullptr, 4);
    for (std::size_t layer = 0; layer < 6; ++layer) {
        expect_equal(one[0].layers[layer], four[0].layers[layer]);
    }
    expect_equal(one[0].range, four[0].range);
    set.options.seed = 1;
    const std::vector<Circle> other = analyse(set);
    EXPECT_EQ(other[0].layers[0].even.r_squared, one[0].layers[0].even.r_squared);
    EXPECT_NE(other[0].layers[0].even.null.mean, one[0].layers[0].even.null.mean);
}

TEST(Circle, OfTheRangeIsThatOfTheAveragedAxes) {
    // A circle with noise that is too much at each layer but averages out over the middle half, layers 4 to 11.
    AxisSet set = empty_set(16, 200);
    const RowMatrix circle = planted_circle(200, 0, 5);
    Rng rng(6);
    RowMatrix sum = RowMatrix::Zero(10, 200);
    for (std::size_t layer = 0; layer < 16; ++layer) {
        const RowMatrix noise = random_rows(10, 200, rng).rowwise().normalized();
        const RowMatrix rows = layer >= 4 && layer <= 11 ? RowMatrix(circle + 2 * noise) : noise;
        put(set, layer, rows);
        if (layer >= 4 && layer <= 11) {
            sum += RowMatrix(rows.rowwise().normalized());
        }
    }
    const Circle middle = analyse(set)[0];
    AxisSet averaged = empty_set(1, 200);
    put(averaged, 0, sum);
    EXPECT_NEAR(middle.range.even.r_squared, analyse(averaged)[0].layers[0].even.r_squared, 1e-5);
    for (std::size_t layer = 0; layer < 16; ++layer) {
        EXPECT_GT(middle.range.even.r_squared, middle.layers[layer].even.r_squared);
    }
    EXPECT_EQ(middle.range.even.null.mean, middle.layers[0].even.null.mean);

    set.options.first_layer = 7;
    set.options.last_layer = 7;
    const Circle one_layer = analyse(set)[0];
    EXPECT_NEAR(one_layer.range.even.r_squared, one_layer.layers[7].even.r_squared, 1e-12);

    set.options.last_layer = 16;
    expect_error(ErrorKind::usage, {"layer range 7-16", "layers are 0-15"}, [&] { analyse(set); });
}

TEST(Circle, AnUndefinedLayerHasAReasonAndLeavesTheRange) {
    AxisSet set = empty_set(4, 30);
    Rng rng(7);
    for (std::size_t layer = 0; layer < 4; ++layer) {
        put(set, layer, random_rows(10, set.n_embd, rng));
    }
    std::fill_n(set.axes[2].shared.begin() + 30, 30, nan_float); // layer 1
    set.axes[2].layers[1].undefined = "the two vectors are parallel";
    std::fill_n(set.axes[5].shared.begin() + 30, 30, nan_float);
    std::vector<std::string> notes;
    const std::vector<Circle> circles = analyse(set, schwartz10(), &notes);
    const CircleLayer & undefined = circles[0].layers[1];
    EXPECT_EQ(undefined.undefined, "'hedonism' has no axis: the two vectors are parallel (and 1 more values)");
    EXPECT_TRUE(std::isnan(undefined.even.r_squared));
    EXPECT_TRUE(std::isnan(undefined.even.p));
    EXPECT_THAT(undefined.plane, IsEmpty());
    EXPECT_EQ(circles[0].layers[0].undefined, "");
    EXPECT_EQ(circles[1].layers[1].undefined, "");
    // The range is 1 to 2; what is left of it is layer 2.
    EXPECT_NEAR(circles[0].range.even.r_squared, circles[0].layers[2].even.r_squared, 1e-9);
    EXPECT_THAT(notes, ElementsAre(HasSubstr("circle of shared axes: 1 of the layers 1-2 left out")));

    set.options.first_layer = set.options.last_layer = 1;
    EXPECT_THAT(analyse(set)[0].range.undefined, HasSubstr("no layer of 1-1 has the axes of all values"));
}

TEST(Circle, AxesThatAreEqualOrCancelHaveNone) {
    AxisSet set = empty_set(2, 30);
    Rng rng(8);
    RowMatrix rows = random_rows(10, set.n_embd, rng);
    put(set, 0, rows);
    rows.row(4) *= -1;
    put(set, 1, rows);
    EXPECT_THAT(analyse(set)[0].range.undefined, HasSubstr("the axes of 'power' cancel over the layers 0-1"));
    rows.rowwise() = RowMatrix(rows.row(0)).row(0);
    put(set, 1, rows);
    EXPECT_EQ(analyse(set)[0].layers[1].undefined, "the axes of all values are equal");
}

TEST(Circle, UsesTheValuesWithAnAngleAndAxes) {
    AxisSet set = empty_set(1, 40);
    put(set, 0, planted_circle(40, 0.05, 9));
    set.axes[1].problem = "no prompted vector";
    set.axes[1].shared.clear();
    set.axes[1].intrinsic.clear();
    set.axes[1].prompted.clear();
    ConceptSet concepts = schwartz10();
    concepts.concepts[3].angle.reset();
    concepts.concepts.pop_back(); // universalism
    concepts.concepts[6].wedge.reset();
    std::vector<std::string> notes;
    const Circle found = analyse(set, concepts, &notes)[0];
    EXPECT_THAT(found.used, ElementsAre(0, 2, 4, 5, 6, 7, 8));
    EXPECT_GT(found.layers[0].even.r_squared, 0.99);
    EXPECT_LE(found.layers[0].even.p, 0.01);
    EXPECT_TRUE(std::isnan(found.layers[0].wedges.r_squared));
    EXPECT_TRUE(std::isnan(found.layers[0].wedges.null.mean));
    EXPECT_THAT(found.layers[0].plane, testing::SizeIs(7));
    // Angles 324, 252, 180, 144, 108, 72, 36: neighbours, then the first among equals.
    EXPECT_THAT(found.theoretical_nearest, ElementsAre(1, 0, 3, 2, 3, 4, 5));
    EXPECT_THAT(found.theoretical_opposite, ElementsAre(3, 5, 0, 0, 0, 1, 1));
    EXPECT_THAT(notes,
                ElementsAre("circle: left out, the concept set 'schwartz10' states no angle: achievement, "
                            "universalism",
                            "circle: left out for want of axes: stimulation",
                            "circle: no fit to wedges, the concept set 'schwartz10' states none for conformity"));
    // Without the centre of a whole circle the components still lie on the stated points.
    EXPECT_NEAR(found.layers[0].plane[2].first, -1, 0.1);
    EXPECT_NEAR(found.layers[0].plane[2].second, 0, 0.1);
}

TEST(Circle, NoneWithoutThreeAngles) {
    AxisSet set = empty_set(1, 40);
    put(set, 0, planted_circle(40, 0.05, 9));
    ConceptSet concepts = schwartz10();
    concepts.concepts.resize(2);
    std::vector<std::string> notes;
    EXPECT_THAT(analyse(set, concepts, &notes), IsEmpty());
    concepts.concepts.clear();
    EXPECT_THAT(analyse(set, concepts, &notes), IsEmpty());
    concepts = schwartz10();
    for (Concept & concept_ : concepts.concepts) {
        concept_.angle = 360 * double(concept_.id.size()); // once round, or more often
    }
    EXPECT_THAT(analyse(set, concepts, &notes), IsEmpty());
    EXPECT_THAT(notes, ElementsAre(HasSubstr("states an angle for 2 of the 10 values"),
                                   HasSubstr("states an angle for 0 of the 10 values"),
                                   HasSubstr("one and the same angle for all values")));
}

TEST(Circle, SaysThatFewValuesBoundTheP) {
    AxisSet set = empty_set(1, 40);
    put(set, 0, planted_circle(40, 0.01, 9));
    ConceptSet concepts = schwartz10();
    for (Concept & concept_ : concepts.concepts) {
        if (concept_.id != "universalism" && concept_.id != "power" && concept_.id != "tradition") {
            concept_.angle.reset();
        }
    }
    std::vector<std::string> notes;
    const Circle found = analyse(set, concepts, &notes)[0];
    EXPECT_THAT(notes, testing::Contains(HasSubstr("with these 3 values")));
    EXPECT_GT(found.layers[0].even.r_squared, 0.99);
    EXPECT_GT(found.layers[0].even.p, 0.05);
}

TEST(Circle, StopsOnRequest) {
    AxisSet set = empty_set(1, 40);
    put(set, 0, planted_circle(40, 0.05, 9));
    std::stop_source source;
    source.request_stop();
    std::vector<std::string> notes;
    expect_error(ErrorKind::interrupted, {"stopped"},
                 [&] { analyse_circles(set, schwartz10(), notes, 1, silent_progress(), source.get_token()); });
}

} // namespace
} // namespace valuelens
