#include <gtest/gtest.h>

#include <cmath>

#include "judge/fake_judge.h"
#include "judge/probe.h"
#include "support/expect_error.h"

namespace valuelens {
namespace {

using test::FakeJudge;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

std::unique_ptr<Judge> constant(double probability, const std::string & name) {
    return std::make_unique<FakeJudge>([=](const JudgeItem &, std::size_t) { return probability; }, name);
}

std::unique_ptr<Judge> committee(std::unique_ptr<Judge> a, std::unique_ptr<Judge> b) {
    std::vector<std::unique_ptr<Judge>> members;
    members.push_back(std::move(a));
    members.push_back(std::move(b));
    return make_committee(std::move(members));
}

double verdict(Judge & judge) {
    const std::vector<JudgeItem> items = {{"a", "text", {0}}};
    return judge.judge(items, silent_progress(), {})[0][0];
}

TEST(Committee, AveragesTheLogOdds) {
    // Odds 9 and 1/4: their geometric mean is 3/2.
    EXPECT_NEAR(verdict(*committee(constant(0.9, "a"), constant(0.2, "b"))), 0.6, 1e-12);
    EXPECT_NEAR(verdict(*committee(constant(0.3, "a"), constant(0.7, "b"))), 0.5, 1e-12);
}

TEST(Committee, ACertainMemberDoesNotMakeNonsense) {
    const double p = verdict(*committee(constant(1.0, "a"), constant(0.0, "b")));
    EXPECT_NEAR(p, 0.5, 1e-7) << "1 - 1e-9 has few digits in double";
}

TEST(Committee, ATextThatOneCannotJudgeIsNoOpinion) {
    EXPECT_TRUE(std::isnan(verdict(*committee(constant(nan, "a"), constant(0.9, "b")))));
    EXPECT_TRUE(std::isnan(verdict(*committee(constant(0.9, "a"), constant(nan, "b")))));
}

TEST(Committee, NamesItsMembers) {
    EXPECT_EQ(committee(constant(0.5, "first"), constant(0.5, "second"))->describe(), "first + second");
}

TEST(Committee, OneMemberIsItself) {
    std::vector<std::unique_ptr<Judge>> members;
    members.push_back(constant(0.42, "only"));
    const auto judge = make_committee(std::move(members));
    EXPECT_EQ(judge->describe(), "only");
    EXPECT_EQ(verdict(*judge), 0.42);
    expect_error(ErrorKind::internal, {"members"}, [] { make_committee({}); });
}

} // namespace
} // namespace valuelens
