#include "engine/convert.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "base/file.h"
#include "support/expect_error.h"
#include "support/golden.h"
#include "support/temp_folder.h"
#include "valuelens/model.h"

namespace valuelens {
namespace {

namespace fs = std::filesystem;

class CountingSink : public ProgressSink {
public:
    void start(std::string_view, std::uint64_t all, std::string_view) override { total = all; }
    void advance(std::uint64_t now, std::string_view) override { done = now; }
    void finish() override { finished = true; }
    std::uint64_t total = 0;
    std::uint64_t done = 0;
    bool finished = false;
};

// SmolLM2: 30 blocks of 7 matrices and 2 norms, a last norm, and the embeddings (its output head, too).
constexpr std::uint64_t n_norms = 61;
constexpr std::uint64_t n_tensors = 30 * 7 + 1 + n_norms;
constexpr std::uint64_t norm_parameters = n_norms * 576;

TEST(ConvertModel, EveryMatrixGetsTheTypeAndNormsStayF32) {
    const std::string original = test::cached_model("smollm2-135m", "original");
    if (original.empty()) {
        FAIL() << "smollm2-135m is not in the cache: `make models` puts it there";
    }
    const std::uint64_t matrix_parameters = read_model_info(original).parameters - norm_parameters;
    const std::map<std::string, std::uint64_t> matrix_bytes{{"bf16", matrix_parameters * 2},
                                                            {"q8_0", matrix_parameters / 32 * 34}};
    for (const auto & [type, bytes] : matrix_bytes) {
        const TempFolder folder;
        const std::string target = (folder / "converted.gguf").string();
        CountingSink sink;
        convert_model(original, target, type, 2, sink);
        EXPECT_EQ(read_model_info(target).bytes, bytes + norm_parameters * 4) << type;
        EXPECT_EQ(sink.total, n_tensors);
        EXPECT_EQ(sink.done, n_tensors);
        EXPECT_TRUE(sink.finished);
    }
}

TEST(ConvertModel, ABrokenModelIsNamedAndLeavesNothing) {
    const TempFolder folder;
    write_file(folder / "broken.gguf", "no model at all");
    expect_error(ErrorKind::model, {"broken.gguf"}, [&] {
        convert_model((folder / "broken.gguf").string(), (folder / "out.gguf").string(), "f32", 1, silent_progress());
    });
    EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
}

TEST(ConvertModel, RefusesAnUnknownType) {
    expect_error(ErrorKind::usage, {"'f7'"}, [] { convert_model("in.gguf", "out.gguf", "f7", 1, silent_progress()); });
}

} // namespace
} // namespace valuelens
