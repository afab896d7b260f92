#include "generate/estimate.h"

#include <gtest/gtest.h>

#include "generate/fake_generator.h"
#include "generate/toy_run.h"
#include "support/expect_error.h"

using namespace valuelens;

namespace {

GenerateOptions options() {
    GenerateOptions result;
    result.slice_size = 6;
    result.max_tokens = 10;
    return result;
}

} // namespace

TEST(Estimate, CountsWhatIsStillToBeDone) {
    const FakeGenerator generator;
    const GenerationPlan plan = plan_generation(toy_concepts(), toy_queries(6), toy_templates(1), options());
    const GenerateEstimate all = estimate_generation(plan, generator, options());
    EXPECT_EQ(all.responses, 18u);
    EXPECT_EQ(all.max_response_tokens, 180u);
    std::uint64_t tokens = 0;
    for (std::size_t i = 0; i < plan.size(); ++i) {
        const PlannedResponse response = plan.response(i);
        tokens += generator.render(response.system, plan.queries[response.query].text).tokens.size();
    }
    EXPECT_EQ(all.prompt_tokens, tokens); // fewer than the sample: exact

    EXPECT_EQ(estimate_generation(plan, generator, options(), {1}).responses, 12u);
    GenerateOptions shard = options();
    shard.shard_count = 2;
    shard.shard_index = 1;
    EXPECT_EQ(estimate_generation(plan, generator, shard).responses, 6u);
    EXPECT_EQ(estimate_generation(plan, generator, options(), {0, 1, 2}).disk_bytes, 0u);
}

TEST(Estimate, HalfPrecisionTakesLess) {
    const FakeGenerator generator;
    const GenerationPlan plan = plan_generation(toy_concepts(), toy_queries(6), toy_templates(1), options());
    GenerateOptions half = options();
    half.activations = StoredActivations::f16;
    const std::uint64_t full_bytes = estimate_generation(plan, generator, options()).disk_bytes;
    const std::uint64_t half_bytes = estimate_generation(plan, generator, half).disk_bytes;
    // 2 layers x 3: 24 bytes in F32; 12 and two scales of 4 in F16.
    EXPECT_EQ(full_bytes - half_bytes, 18u * (24 - 20));
}

TEST(Estimate, ADiskThatIsTooSmall) {
    GenerateEstimate estimate;
    estimate.responses = 42;
    estimate.disk_bytes = 2'500'000'000;
    EXPECT_NO_THROW(require_disk_space(estimate, "runs/x", 2'500'000'000));
    expect_error(ErrorKind::bad_input, {"runs/x", "42 responses", "2.50 GB", "1.00 GB"},
                 [&] { require_disk_space(estimate, "runs/x", 1'000'000'000); });
}
