#include "judge/stage.h"

#include <gtest/gtest.h>

#include <cmath>

#include "generate/toy_run.h"
#include "judge/fake_judge.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"

namespace valuelens {
namespace {

using test::FakeJudge;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// A run of toy_concepts() ("power", "care") with a slice for each query: its intrinsic and its two prompted responses.
class JudgeStage : public testing::Test {
protected:
    static constexpr std::size_t n_slices = 3;

    void SetUp() override {
        db.store_inputs(toy_concepts(), toy_queries(n_slices), toy_templates(1));
        for (std::size_t slice = 0; slice < n_slices; ++slice) {
            add_slice(slice);
        }
    }

    void add_slice(std::size_t slice) {
        std::vector<ResponseRow> rows;
        for (const char * value : {"", "power", "care"}) {
            ResponseRow row;
            row.query_id = "q" + std::to_string(slice);
            row.position = 3 * slice + rows.size();
            row.slice = slice;
            row.id = row.query_id + "/" + (*value == 0 ? "intrinsic" : value);
            row.text = "text of " + row.id;
            row.tokens = {1};
            row.finish = "length";
            if (*value != 0) {
                row.condition = Condition::prompted;
                row.value_id = value;
                row.template_id = "t0";
            }
            rows.push_back(std::move(row));
        }
        db.commit_slice({slice, rows.size(), 3 * slice, "shard", "hash", "{}"}, rows, {});
    }

    JudgeStageResult judge_with(Judge & judge, const JudgeStageOptions & options = {}, std::stop_token stop = {}) {
        return run_judge(db, toy_concepts(), judge, options, silent_progress(), stop);
    }

    StoredLabel label(const std::string & response, const std::string & value) {
        for (const StoredLabel & stored : db.labels()) {
            if (stored.label.response_id == response && stored.label.value_id == value) {
                return stored;
            }
        }
        ADD_FAILURE() << "no label of " << response << " for " << value;
        return {};
    }

    TempFolder folder;
    RunDb db{folder / "run.sqlite", RunDbMode::create};
};

double sure(const JudgeItem &, std::size_t) {
    return 0.9;
}

TEST_F(JudgeStage, IntrinsicResponsesAreJudgedForEachValueAndPromptedOnesForTheirOwn) {
    FakeJudge judge([](const JudgeItem &, std::size_t value) { return value == 0 ? 0.9 : 0.1; });
    const JudgeStageResult result = judge_with(judge);
    EXPECT_EQ(result.slices_before, 0u);
    EXPECT_EQ(result.slices_done, n_slices);
    EXPECT_EQ(result.labels, 4 * n_slices);
    ASSERT_EQ(judge.asked.size(), 3 * n_slices);
    EXPECT_EQ(judge.asked[0].id, "q0/intrinsic");
    EXPECT_EQ(judge.asked[0].text, "text of q0/intrinsic");
    EXPECT_EQ(judge.asked[0].values, (std::vector<std::size_t>{0, 1}));
    EXPECT_EQ(judge.asked[1].values, (std::vector<std::size_t>{0}));
    EXPECT_EQ(judge.asked[2].values, (std::vector<std::size_t>{1}));
    EXPECT_EQ(db.labels().size(), 4 * n_slices);
    EXPECT_EQ(label("q1/intrinsic", "power").label.expresses, true);
    EXPECT_EQ(label("q1/intrinsic", "care").label.expresses, false);
    EXPECT_EQ(label("q1/care", "care").condition, Condition::prompted);
    EXPECT_EQ(label("q1/care", "care").query_id, "q1");
    EXPECT_TRUE(judge_stage_done(db));
}

TEST_F(JudgeStage, UndecidedAndNoOpinionAreStoredWithoutADecision) {
    FakeJudge judge([](const JudgeItem & item, std::size_t) {
        return item.id.starts_with("q0") ? nan : item.id.starts_with("q1") ? 0.4 : 0.6;
    });
    judge_with(judge);
    EXPECT_FALSE(label("q0/intrinsic", "care").label.probability);
    EXPECT_FALSE(label("q0/intrinsic", "care").label.expresses);
    EXPECT_EQ(label("q1/intrinsic", "care").label.probability, 0.4);
    EXPECT_FALSE(label("q1/intrinsic", "care").label.expresses);
    EXPECT_EQ(label("q2/intrinsic", "care").label.expresses, true);
    const RunCounts counts = db.counts();
    EXPECT_EQ(counts.no_opinion, 4u);
    EXPECT_EQ(counts.undecided, 4u);
    EXPECT_EQ(counts.expressing, 4u);
    EXPECT_EQ(counts.not_expressing, 0u);
}

TEST_F(JudgeStage, AStoppedStageGoesOnSliceBySlice) {
    std::stop_source stop;
    FakeJudge judge(sure);
    judge.before_call = [&] {
        stop.request_stop();
    }; // while the first slice is judged
    expect_error(ErrorKind::interrupted, {"judging"}, [&] { judge_with(judge, {}, stop.get_token()); });
    EXPECT_EQ(db.finished_judge_slices(), (std::set<std::size_t>{0}));
    EXPECT_EQ(db.labels().size(), 4u) << "a slice's labels appear whole";
    EXPECT_FALSE(judge_stage_done(db));

    FakeJudge next(sure);
    const JudgeStageResult result = judge_with(next);
    EXPECT_EQ(result.slices_before, 1u);
    EXPECT_EQ(result.slices_done, 2u);
    EXPECT_EQ(next.calls, 2);
    EXPECT_EQ(next.asked.front().id, "q1/intrinsic");
    EXPECT_EQ(judge_with(next).slices_done, 0u) << "nothing is left";
    EXPECT_EQ(next.calls, 2);
}

TEST_F(JudgeStage, AJudgeThatFailsLeavesNoHalfSlice) {
    FakeJudge judge(sure);
    judge.before_call = [&] {
        if (judge.calls == 1) {
            throw Error(ErrorKind::judge, "the server is gone");
        }
    };
    expect_error(ErrorKind::judge, {"the server is gone"}, [&] { judge_with(judge); });
    EXPECT_EQ(db.finished_judge_slices(), (std::set<std::size_t>{0}));
    EXPECT_EQ(db.labels().size(), 4u);
}

TEST_F(JudgeStage, SlicesThatComeLaterAreJudgedLater) {
    FakeJudge judge(sure);
    judge_with(judge);
    db.remove_slice(1);
    add_slice(1);
    EXPECT_FALSE(judge_stage_done(db));
    EXPECT_EQ(judge_with(judge).slices_done, 1u);
    EXPECT_EQ(db.labels().size(), 4 * n_slices);
}

TEST_F(JudgeStage, AnotherJudgeOrBandIsAUsageErrorThatNamesBoth) {
    FakeJudge old_judge(sure, "old judge");
    FakeJudge new_judge(sure, "new judge");
    judge_with(old_judge);
    expect_error(ErrorKind::usage, {"old judge", "new judge", "--rejudge"}, [&] { judge_with(new_judge); });
    expect_error(ErrorKind::usage, {"0.4-0.6", "0.3-0.6", "--rejudge"},
                 [&] { judge_with(old_judge, {.undecided_low = 0.3}); });
    expect_error(ErrorKind::usage, {"--rejudge"}, [&] { judge_with(old_judge, {.matched = true}); });
    EXPECT_EQ(new_judge.calls, 0);
}

TEST_F(JudgeStage, WhereSumsAloneAreKeptAnotherJudgeIsNotOffered) {
    FakeJudge old_judge(sure, "old judge");
    FakeJudge new_judge(sure, "new judge");
    db.set_meta("generate.activations", "none");
    judge_with(old_judge);
    try {
        judge_with(new_judge);
        FAIL() << "another judge was taken";
    } catch (const Error & error) {
        EXPECT_THAT(error.what(), testing::HasSubstr("begin another run"));
        EXPECT_THAT(error.what(), testing::Not(testing::HasSubstr("--rejudge")));
    }
}

TEST_F(JudgeStage, ForgottenLabelsMakeRoomForAnotherJudge) {
    FakeJudge old_judge(sure, "old judge");
    FakeJudge new_judge([](const JudgeItem &, std::size_t) { return 0.1; }, "new judge");
    judge_with(old_judge);
    db.clear_labels();
    db.set_meta("judge", "");
    EXPECT_EQ(judge_with(new_judge).slices_done, n_slices);
    EXPECT_EQ(db.counts().expressing, 0u);
    EXPECT_THAT(db.meta("judge").value_or(""), testing::HasSubstr("new judge"));
}

TEST_F(JudgeStage, ABandOutsideOfProbabilitiesIsAUsageError) {
    FakeJudge judge(sure);
    for (const auto & [low, high] :
         {std::pair(0.7, 0.3), std::pair(-0.1, 0.5), std::pair(0.5, 1.1), std::pair(nan, 0.5)}) {
        expect_error(ErrorKind::usage, {"undecided band"},
                     [&] { judge_with(judge, {.undecided_low = low, .undecided_high = high}); });
    }
}

double scaled(const JudgeItem & item, std::size_t) {
    // Intrinsic: 0.02, 0.05, 0.2 for q0, q1, q2; prompted: 0.2.
    return item.id == "q0/intrinsic" ? 0.02 : item.id == "q1/intrinsic" ? 0.05 : 0.2;
}

TEST_F(JudgeStage, MatchedDecidesAroundTheMedianIntrinsicResponse) {
    FakeJudge judge(scaled);
    judge_with(judge, {.matched = true});
    EXPECT_TRUE(judge_stage_done(db));
    // Recentred on odds of 1/19: 0.02 -> 0.28, 0.05 -> 0.5, 0.2 -> 0.83.
    EXPECT_EQ(label("q0/intrinsic", "care").label.expresses, false);
    EXPECT_EQ(label("q1/intrinsic", "care").label.expresses, std::nullopt);
    EXPECT_EQ(label("q2/intrinsic", "care").label.expresses, true);
    EXPECT_EQ(label("q0/care", "care").label.expresses, true);
    EXPECT_EQ(label("q2/intrinsic", "care").label.probability, 0.2) << "the judge's own probability is kept";
}

TEST_F(JudgeStage, MatchedInTwoGoesEqualsOneGo) {
    const auto decisions = [&] {
        std::vector<std::optional<bool>> all;
        for (const StoredLabel & stored : db.labels()) {
            all.push_back(stored.label.expresses);
        }
        return all;
    };
    FakeJudge judge(scaled);
    judge_with(judge, {.matched = true});
    const auto expected = decisions();
    db.clear_labels();
    db.set_meta("judge", "");
    std::stop_source stop;
    judge.before_call = [&] {
        stop.request_stop();
    };
    expect_error(ErrorKind::interrupted, {}, [&] { judge_with(judge, {.matched = true}, stop.get_token()); });
    EXPECT_FALSE(judge_stage_done(db));
    judge_with(judge, {.matched = true});
    EXPECT_EQ(decisions(), expected);
}

TEST_F(JudgeStage, MatchedIsNotDoneWhileASliceJudgedAnewIsUndecided) {
    FakeJudge judge(scaled);
    judge_with(judge, {.matched = true});
    // Slice 2, the median's upper neighbour, is lost and judged again; the stage dies before it decides.
    db.remove_slice(2);
    add_slice(2);
    class DiesAtTheEnd : public ProgressSink {
        void finish() override { throw Error(ErrorKind::interrupted, "power cut"); }
    } power_cut;
    expect_error(ErrorKind::interrupted, {"power cut"},
                 [&] { run_judge(db, toy_concepts(), judge, {.matched = true}, power_cut); });
    EXPECT_FALSE(judge_stage_done(db));
}

} // namespace
} // namespace valuelens
