#include "neurons/top_norms.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"

namespace valuelens {
namespace {

Projection of_norm(double norm, std::uint64_t neuron) {
    return {norm, 0, 0, neuron};
}

TEST(TopNorms, KeepsTheLargestOfMany) {
    Rng rng(1);
    std::vector<double> norms;
    TopNorms top(500);
    for (std::uint64_t i = 0; i < 20000; ++i) {
        norms.push_back(rng.uniform());
        top.add(of_norm(norms.back(), i));
    }
    const std::vector<Projection> kept = top.take();
    std::sort(norms.begin(), norms.end(), std::greater<>());
    ASSERT_EQ(kept.size(), 500u);
    for (std::size_t i = 0; i < kept.size(); ++i) {
        EXPECT_EQ(kept[i].norm, norms[i]);
    }
    EXPECT_TRUE(top.take().empty()) << "nothing stays behind";
}

TEST(TopNorms, TiesWithTheLastAreAllKept) {
    TopNorms top(2);
    for (std::uint64_t i = 0; i < 6000; ++i) {
        top.add(of_norm(i == 4000 ? 3 : i % 2 == 0 ? 2 : 1, i));
    }
    const std::vector<Projection> kept = top.take();
    ASSERT_EQ(kept.size(), 3000u) << "one of norm 3, and all of norm 2";
    EXPECT_EQ(kept[0].neuron, 4000u);
    EXPECT_EQ(kept[1].neuron, 0u);
    EXPECT_EQ(kept[2].neuron, 2u) << "equal norms in the order of neurons";
    EXPECT_EQ(kept.back().norm, 2.0);
}

TEST(TopNorms, ANormOfZeroIsNeverKept) {
    TopNorms top(3);
    top.add(of_norm(0, 0));
    top.add(of_norm(1, 1));
    ASSERT_EQ(top.take().size(), 1u);
}

} // namespace
} // namespace valuelens
