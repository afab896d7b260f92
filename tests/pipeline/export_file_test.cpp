#include "pipeline/export_file.h"

#include <limits>

#include "pipeline/steer_files.h"
#include "support/expect_error.h"
#include "support/gguf_writer.h"
#include "support/temp_folder.h"

namespace valuelens {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ExportFile : public testing::Test {
protected:
    ExportOptions options(ExportFormat format, const std::string & name) const {
        ExportOptions options;
        options.format = format;
        options.from = from_;
        options.key = "care/shared";
        options.output = folder_ / name;
        return options;
    }
    Directions read(const std::string & name, const std::string & key = "care/shared") const {
        return read_directions(folder_ / name, key, RowLocation::layer_output);
    }
    TempFolder folder_;
    std::filesystem::path from_ = write_directions(folder_ / "axes.safetensors");
};

TEST_F(ExportFile, EachFormatHoldsTheDirection) {
    const Directions original = read("axes.safetensors");
    export_file(options(ExportFormat::safetensors, "d.safetensors"));
    export_file(options(ExportFormat::npz, "d.npz"));
    for (const char * name : {"d.safetensors", "d.npz"}) {
        EXPECT_EQ(read(name).rows, original.rows) << name;
        EXPECT_EQ(read(name).resid_norm, original.resid_norm) << name;
        EXPECT_EQ(read(name).provenance->model_hash, "1111") << name;
    }
    const ExportResult gguf = export_file(options(ExportFormat::gguf, "d.gguf"));
    EXPECT_THAT(gguf.layers, ElementsAre(1, 2));
    EXPECT_THAT(gguf.notes, ElementsAre(HasSubstr("block 0 has no place")));
    EXPECT_THAT(read("d.gguf", "").rows, ElementsAre(6, 8, 0, 0));
    EXPECT_EQ(read("d.gguf", "").model_hint, "maker");
}

TEST_F(ExportFile, LayersAlphaAndUnitAreFoldedIn) {
    ExportOptions wanted = options(ExportFormat::gguf, "d.gguf");
    wanted.layers = LayerRange{1, 1};
    wanted.alpha = -0.5f;
    wanted.resid_unit = true;
    EXPECT_TRUE(export_file(wanted).notes.empty());
    EXPECT_THAT(read("d.gguf", "").layers, ElementsAre(1));
    EXPECT_THAT(read("d.gguf", "").rows, ElementsAre(-6, -8)); // half of 20 long
}

TEST_F(ExportFile, OptionsThatDoNotGoTogetherAreRefused) {
    const auto expect_usage = [](const ExportOptions & wanted, const std::vector<std::string> & words) {
        expect_error(ErrorKind::usage, words, [&] { export_file(wanted); });
        EXPECT_FALSE(std::filesystem::exists(wanted.output));
    };
    ExportOptions wanted = options(ExportFormat::gguf, "d.gguf");
    wanted.scale_neurons = {"n.csv"};
    expect_usage(wanted, {"--scale-neurons", "lora"});
    wanted = options(ExportFormat::gguf, "d.gguf");
    wanted.from.clear();
    expect_usage(wanted, {"--from"});
    wanted = options(ExportFormat::lora, "d.gguf");
    expect_usage(wanted, {"--scale-neurons", "-m MODEL"});
    wanted.scale_neurons = {"n.csv"};
    wanted.model = "m.gguf";
    expect_usage(wanted, {"--from"});
    wanted.from.clear();
    expect_usage(wanted, {"--key"});
    wanted.key.clear();
    wanted.location = RowLocation::layer_input;
    expect_usage(wanted, {"--location"});
    wanted = options(ExportFormat::gguf, "d.gguf");
    wanted.alpha = std::numeric_limits<float>::quiet_NaN();
    expect_usage(wanted, {"--alpha", "finite"});
    wanted = options(ExportFormat::gguf, "d.gguf");
    wanted.layers = LayerRange{0, 0};
    expect_usage(wanted, {"block 0"});
    wanted.layers = LayerRange{2, 3};
    expect_usage(wanted, {"layer 3"});
    wanted = options(ExportFormat::npz, "d.npz");
    wanted.key = "care/undefined";
    expect_error(ErrorKind::bad_input, {"NaN", "layer 1", "--layers A-B"}, [&] { export_file(wanted); });
    wanted.key = "one";
    expect_usage(wanted, {"\"one\"", "--layers A-B"});
}

TEST_F(ExportFile, AModelIsCheckedWhereItIsGiven) {
    test::GgufWriter gguf("llama");
    gguf.number("llama.block_count", 3);
    gguf.number("llama.embedding_length", 2);
    gguf.number("llama.feed_forward_length", 2);
    gguf.tensor("blk.1.ffn_down.weight", {2, 2}, std::vector<float>{1, 2, 3, 4});
    const std::string model = gguf.write(folder_ / "m.gguf");
    ExportOptions wanted = options(ExportFormat::gguf, "d.gguf");
    wanted.model = model;
    expect_error(ErrorKind::bad_input, {"axes.safetensors", "maker"}, [&] { export_file(wanted); });
    from_ = write_directions(folder_ / "own.safetensors", model_identity(model));
    wanted = options(ExportFormat::gguf, "d.gguf");
    wanted.model = model;
    export_file(wanted);
    EXPECT_EQ(read("d.gguf", "").model_hint, "llama");
}

} // namespace
} // namespace valuelens
