#include "pipeline/evaluate_judged.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/safetensors.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"
#include "support/tiny_language_model.h"

namespace valuelens {
namespace {

using test::TinyLanguageModel;

class JudgedVariants : public testing::Test {
protected:
    JudgedVariants() {
        request_.model.path = TinyLanguageModel::dense().write(folder_ / "m.gguf");
        std::vector<float> rows(3 * TinyLanguageModel::n_embd, 0.5f);
        std::vector<float> first_missing = rows;
        std::fill_n(first_missing.begin(), TinyLanguageModel::n_embd, 0.0f);
        const std::vector<FloatTensor> tensors = {{"compliance", {3, TinyLanguageModel::n_embd}, first_missing},
                                                  {"power/shared", {3, TinyLanguageModel::n_embd}, rows}};
        write_safetensors(folder_ / "axes.safetensors", tensors, {});
        request_.guard = {"compliance"};
    }

    TempFolder folder_;
    JudgedRequest request_;
    std::string axes_ = (folder_ / "axes.safetensors").string();
};

TEST_F(JudgedVariants, EachOnceMoreWithTheGuardedDirectionTakenOutLast) {
    request_.steer = {axes_ + ":power/shared,alpha=2"};
    request_.defend = axes_;
    const std::vector<EvaluationVariant> variants = judged_variants(request_, silent_progress());
    ASSERT_EQ(variants.size(), 4u);
    EXPECT_EQ(variants[0].intervention, nullptr);
    EXPECT_EQ(variants[2].name, "defended");
    EXPECT_EQ(variants[3].name, "steered_defended");
    EXPECT_EQ(variants[1].intervention->directions.size(), 3u);
    EXPECT_EQ(variants[2].intervention->directions.size(), 2u) << "at the blocks where it is defined";
    const std::vector<LayerDirection> & both = variants[3].intervention->directions;
    ASSERT_EQ(both.size(), 5u);
    EXPECT_EQ(both[2].mode, SteerMode::add);
    EXPECT_EQ(both[3].mode, SteerMode::ablate) << "after what was added";
    EXPECT_EQ(both[3].layer, 1);
    EXPECT_THAT(variants[3].steer, testing::ElementsAre(request_.steer[0], axes_ + ":compliance,mode=ablate"));
    EXPECT_EQ(variants[3].files.size(), 1u);
    EXPECT_EQ(variants[2].files.size(), 1u);
}

TEST_F(JudgedVariants, WithoutADefenceNothingIsAdded) {
    EXPECT_EQ(judged_variants(request_, silent_progress()).size(), 1u);
    request_.defend = axes_;
    request_.guard = {"none"};
    expect_error(ErrorKind::bad_input, {"none"}, [&] { judged_variants(request_, silent_progress()); });
}

} // namespace
} // namespace valuelens
