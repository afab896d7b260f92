#include "contrast/slice_sums.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/file.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"

namespace valuelens {
namespace {

Provenance toy_provenance() {
    return {"toy", std::string(64, 'a'), "resid_post", "0-based block output", "test"};
}

TEST(SliceSums, ComeBackFromTheirFile) {
    const TempFolder folder;
    SliceSums sums(2, 3);
    const std::vector<float> first{1, 2, 2, 0, 3, 4};
    const std::vector<float> second{0, 0, 1, 0, 0, 2};
    sums.add_response("r0", first);
    sums.add_response("r1", second);
    sums.add_label("care", Condition::intrinsic, true, first);
    sums.add_label("care", Condition::intrinsic, true, second);
    sums.add_label("care", Condition::prompted, false, second);
    sums.write(folder / "sums.safetensors", toy_provenance());

    const SliceSumsFile back(folder / "sums.safetensors");
    EXPECT_EQ(back.provenance().model_hash, std::string(64, 'a'));
    EXPECT_EQ(back.n_layer(), 2u);
    EXPECT_EQ(back.n_embd(), 3u);
    EXPECT_EQ(back.n_responses(), 2u);
    EXPECT_EQ(back.resid_norm_sum(), (std::vector<float>{3 + 1, 5 + 2}));
    using Counts = std::array<std::size_t, 2>;
    EXPECT_EQ(back.count("care", Condition::intrinsic), (Counts{0, 2}));
    EXPECT_EQ(back.count("care", Condition::prompted), (Counts{1, 0}));
    EXPECT_EQ(back.count("power", Condition::prompted), (Counts{0, 0}));
    std::vector<float> row(3);
    back.read("care", Condition::intrinsic, true, 0, row);
    EXPECT_EQ(row, (std::vector<float>{1, 2, 3}));
    back.release_pages();
    back.read("care", Condition::intrinsic, true, 1, row);
    EXPECT_EQ(row, (std::vector<float>{0, 3, 6}));
    back.read("care", Condition::prompted, false, 0, row);
    EXPECT_EQ(row, (std::vector<float>{0, 0, 1}));
}

TEST(SliceSums, ANumberThatIsNotFiniteNamesItsResponse) {
    SliceSums sums(1, 2);
    expect_error(ErrorKind::bad_input, {"r7", "layer 0", "not finite"}, [&] {
        sums.add_response("r7", std::vector<float>{1, std::numeric_limits<float>::infinity()});
    });
}

TEST(SliceSums, AnotherFileIsRefused) {
    const TempFolder folder;
    write_file(folder / "no.safetensors", "not safetensors");
    expect_error(ErrorKind::bad_input, {"no.safetensors"}, [&] { SliceSumsFile(folder / "no.safetensors"); });
}

} // namespace
} // namespace valuelens
