#include "contrast/cell.h"

#include <cmath>

#include <gtest/gtest.h>

#include "contrast/memory_source.h"
#include "support/expect_error.h"

namespace valuelens {
namespace {

/// sum_classes() adds in another order than the plain loop.
constexpr double rounding = 1e-12;

class Cells : public testing::Test {
protected:
    static constexpr std::size_t layer = 1;
    Scene scene = make_scene(50, 2, 1.0);
    QueryPlan plan{scene.responses, scene.source, {.held_out = 0.2, .bootstraps = 6, .resample_groups = 20}};
    std::vector<Cell> cells = make_cells(scene.responses, 2, plan);

    ClassSums sums(const Cell & cell, const Columns & columns) const {
        return sum_classes(scene.source, layer, cell, columns, {});
    }
};

TEST_F(Cells, CountsAddUp) {
    ASSERT_EQ(cells.size(), 4u);
    for (const Cell & cell : cells) {
        EXPECT_EQ(cell.count[0] + cell.count[1], 50u);
        EXPECT_EQ(cell.held_out_count[0] + cell.held_out_count[1], 10u);
        EXPECT_EQ(cell.entries.size(), 50u);
        for (std::size_t k = 0; k < 2; ++k) {
            EXPECT_LE(cell.slot_group[k].size(), 20u);
            std::size_t in_slots = 0;
            for (const std::size_t count : cell.slot_count[k]) {
                in_slots += count;
            }
            EXPECT_EQ(in_slots, cell.count[k]);
        }
    }
}

TEST_F(Cells, DifferenceOfMeansIsThatOfThePlainLoop) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
        Eigen::VectorXd means[2] = {Eigen::VectorXd::Zero(16), Eigen::VectorXd::Zero(16)};
        for (const LabelledResponse & response : scene.responses) {
            for (const auto & [value, expresses] : response.labels) {
                if (value == i / 2 && static_cast<std::size_t>(response.condition) == i % 2) {
                    for (Eigen::Index j = 0; j < 16; ++j) {
                        means[expresses][j] +=
                            scene.source.rows[response.row][layer * 16 + static_cast<std::size_t>(j)];
                    }
                }
            }
        }
        const Eigen::VectorXd expected =
            means[1] / static_cast<double>(cells[i].count[1]) - means[0] / static_cast<double>(cells[i].count[0]);
        EXPECT_LT((difference_of_means(sums(cells[i], {0, 16}), cells[i]) - expected).norm(), rounding);
    }
}

TEST_F(Cells, PartOfTheColumnsIsPartOfTheWhole) {
    const RowMatrix whole = weighted_differences(sums(cells[0], {0, 16}), cells[0], plan.group_weights);
    const RowMatrix part = weighted_differences(sums(cells[0], {5, 7}), cells[0], plan.group_weights);
    EXPECT_LT((whole.middleCols(5, 7) - part).norm(), rounding);
    EXPECT_EQ(sums(cells[0], {5, 7}).fitted[1], sums(cells[0], {0, 16}).fitted[1].segment(5, 7));
}

TEST_F(Cells, EqualWeightsGiveTheDifferenceOfMeans) {
    const ClassSums all = sums(cells[3], {0, 16});
    const RowMatrix weighted = weighted_differences(all, cells[3], RowMatrix::Constant(1, 20, 2.0));
    EXPECT_LT((weighted.row(0).transpose() - difference_of_means(all, cells[3])).norm(), rounding);
}

TEST_F(Cells, AClassWithoutWeightIsNaN) {
    RowMatrix weights = RowMatrix::Zero(2, 20);
    weights.row(1).setOnes();
    const RowMatrix weighted = weighted_differences(sums(cells[2], {0, 16}), cells[2], weights);
    EXPECT_TRUE(weighted.row(0).array().isNaN().all());
    EXPECT_TRUE(weighted.row(1).array().isFinite().all());
}

TEST_F(Cells, ResamplesWithoutAClassAreCounted) {
    std::size_t empty = 0;
    plan.group_weights.setOnes();
    EXPECT_EQ(count_empty_resamples(cells[2], plan), 0u);
    for (const Eigen::Index resample : {1, 4}) {
        for (const std::uint32_t group : cells[2].slot_group[1]) {
            plan.group_weights(resample, group) = 0;
        }
        EXPECT_EQ(count_empty_resamples(cells[2], plan), ++empty);
    }
}

TEST_F(Cells, AStopRequestInterrupts) {
    std::stop_source stop;
    stop.request_stop();
    expect_error(ErrorKind::interrupted, {"stopped"}, [&] {
        sum_classes(scene.source, layer, cells[0], {0, 16}, stop.get_token());
    });
}

} // namespace
} // namespace valuelens
