#include "neurons/hypergeometric.h"

#include <gtest/gtest.h>

namespace valuelens {
namespace {

// scipy.stats.hypergeom.sf(common - 1, n, a, b), scipy 1.x.
TEST(HypergeometricTail, AgreesWithScipy) {
    struct Case {
        std::size_t common, n, a, b;
        double p;
    };
    for (const Case & c : {Case{0, 10, 3, 4, 1.0},
                           {1, 10, 3, 4, 0.8333333333333334},
                           {3, 10, 3, 4, 0.03333333333333333},
                           {4, 10, 3, 4, 0.0},
                           {6, 10, 8, 8, 1.0},
                           {7, 10, 8, 8, 0.37777777777777777},
                           {30, 530432, 5305, 5305, 0.9997987508517667},
                           {53, 530432, 5305, 5305, 0.5219539612485762},
                           {60, 530432, 5305, 5305, 0.1844800295803455},
                           {90, 530432, 5305, 5305, 1.8601025098334716e-06},
                           {300, 530432, 5305, 5305, 7.014925477053375e-126},
                           {5, 46080, 461, 461, 0.49016024793411084},
                           {400, 1000, 500, 700, 3.0076775537228545e-12},
                           {350, 1000, 500, 700, 0.5275037540386245},
                           {10, 100, 100, 10, 1.0}}) {
        EXPECT_NEAR(hypergeometric_tail(c.common, c.n, c.a, c.b), c.p, 1e-7 * c.p)
            << c.common << " of " << c.n << ", " << c.a << ", " << c.b;
    }
}

TEST(HypergeometricTail, EmptySetsAndCertaintyAreExact) {
    EXPECT_EQ(hypergeometric_tail(0, 0, 0, 0), 1.0);
    EXPECT_EQ(hypergeometric_tail(0, 10, 0, 5), 1.0);
    EXPECT_EQ(hypergeometric_tail(1, 10, 0, 5), 0.0);
    EXPECT_EQ(hypergeometric_tail(10, 10, 10, 10), 1.0);
}

} // namespace
} // namespace valuelens
