#include "steer/directions.h"

#include <cmath>
#include <cstring>

#include "steer/export_directions.h"
#include "steer/npz.h"
#include "store/provenance.h"
#include "store/safetensors.h"
#include "support/expect_error.h"
#include "support/gguf_writer.h"
#include "support/temp_folder.h"

namespace valuelens {
namespace {

using test::GgufWriter;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr RowLocation output = RowLocation::layer_output;
constexpr RowLocation input = RowLocation::layer_input;

Provenance some_provenance() {
    Provenance provenance;
    provenance.model_name = "maker";
    provenance.model_hash = "1111";
    provenance.tool_version = "0";
    return provenance;
}

/// `v` [3, 2] of blocks 0-2 with norms 10, 20, 30.
Directions some_directions() {
    Directions directions;
    directions.key = "power/shared";
    directions.n_embd = 2;
    directions.layers = {0, 1, 2};
    directions.rows = {3, 4, 6, 8, 0, 5};
    directions.resid_norm = {{0, 10.0f}, {1, 20.0f}, {2, 30.0f}};
    directions.provenance = some_provenance();
    directions.model_hint = "llama";
    return directions;
}

class DirectionFiles : public testing::Test {
protected:
    std::filesystem::path foreign_safetensors(std::vector<std::size_t> shape, const std::vector<float> & values) const {
        const std::vector<FloatTensor> tensors = {{"v", std::move(shape), values}};
        write_safetensors(folder_ / "other.safetensors", tensors, {{"format", "pt"}});
        return folder_ / "other.safetensors";
    }
    TempFolder folder_;
};

TEST_F(DirectionFiles, ExportsAreReadBack) {
    const Directions written = some_directions();
    write_directions_safetensors(folder_ / "d.safetensors", written, {{"alpha", "1"}});
    write_directions_npz(folder_ / "d.npz", written, {{"alpha", "1"}});
    for (const char * name : {"d.safetensors", "d.npz"}) {
        const Directions read = read_directions(folder_ / name, "power/shared", output);
        EXPECT_EQ(read.layers, written.layers) << name;
        EXPECT_EQ(read.rows, written.rows);
        EXPECT_EQ(read.resid_norm, written.resid_norm);
        EXPECT_FALSE(read.all_layers);
        ASSERT_TRUE(read.provenance.has_value());
        EXPECT_EQ(read.provenance->model_hash, "1111");
        EXPECT_THAT(read.notes, IsEmpty());
    }
}

TEST_F(DirectionFiles, AControlVectorHasNoPlaceForBlockZero) {
    EXPECT_THAT(write_directions_gguf(folder_ / "d.gguf", some_directions(), {}),
                ElementsAre(HasSubstr("block 0 has no place")));
    const Directions read = read_directions(folder_ / "d.gguf", "", output);
    EXPECT_THAT(read.layers, ElementsAre(1, 2));
    EXPECT_THAT(read.rows, ElementsAre(6, 8, 0, 5));
    EXPECT_EQ(read.key, "direction");
    EXPECT_EQ(read.model_hint, "llama");
    EXPECT_EQ(read.provenance->model_hash, "1111");
    EXPECT_EQ(read.provenance->location, "resid_post");
    EXPECT_THAT(read.notes, IsEmpty());

    Directions first = fold_directions(some_directions(), 0, 0, {});
    expect_error(ErrorKind::usage, {"block 0", "safetensors"},
                 [&] { write_directions_gguf(folder_ / "none.gguf", first, {}); });
    EXPECT_FALSE(std::filesystem::exists(folder_ / "none.gguf"));
    Directions rest = fold_directions(some_directions(), 1, 2, {});
    EXPECT_THAT(write_directions_gguf(folder_ / "rest.gguf", rest, {}), IsEmpty());
}

TEST_F(DirectionFiles, AKeyOfAnotherTensorIsRenamed) {
    Directions written = some_directions();
    written.key = "layers";
    write_directions_npz(folder_ / "d.npz", written, {});
    EXPECT_EQ(read_directions(folder_ / "d.npz", "direction", output).rows, written.rows);
}

TEST_F(DirectionFiles, RepengsControlVectorIsRead) {
    GgufWriter gguf("controlvector");
    gguf.text("controlvector.model_hint", "mistral");
    gguf.number("controlvector.layer_count", 2);
    gguf.tensor("direction.2", {2}, std::vector<float>{5, 6}); // repeng writes the last block first
    gguf.tensor("direction.1", {2}, std::vector<float>{1, 2});
    gguf.write(folder_ / "r.gguf");
    const Directions read = read_directions(folder_ / "r.gguf", "direction", output);
    EXPECT_THAT(read.layers, ElementsAre(1, 2));
    EXPECT_THAT(read.rows, ElementsAre(1, 2, 5, 6));
    EXPECT_EQ(read.model_hint, "mistral");
    EXPECT_FALSE(read.provenance.has_value());
    EXPECT_THAT(read.notes, Contains(HasSubstr("which model")));
    EXPECT_THAT(read.notes, Contains(HasSubstr("cvector-generator")));

    const Directions late = read_directions(folder_ / "r.gguf", "", input);
    EXPECT_THAT(late.layers, ElementsAre(0, 1));
    EXPECT_THAT(late.rows, ElementsAre(1, 2, 5, 6));
    expect_error(ErrorKind::bad_input, {"r.gguf", "\"power\"", "direction"},
                 [&] { read_directions(folder_ / "r.gguf", "power", output); });
}

TEST_F(DirectionFiles, EasySteersControlVectorIsRead) {
    const auto write = [&](const std::string & native) {
        GgufWriter gguf("controlvector");
        gguf.text("controlvector.model_hint", "qwen2");
        gguf.text("controlvector.method", "diffmean");
        gguf.number("controlvector.layer_count", 1);
        gguf.text("controlvector.easysteer", native);
        gguf.tensor("direction.0", {3}, std::vector<float>{1, 2, 3});
        gguf.write(folder_ / "e.gguf");
        return folder_ / "e.gguf";
    };
    const auto hidden = write(R"({"version":1,"component":"hidden_states","metadata":{"mapping":[]}})");
    EXPECT_THAT(read_directions(hidden, "", output).layers, ElementsAre(0));
    expect_error(ErrorKind::bad_input, {"e.gguf", "before the first block"},
                 [&] { read_directions(hidden, "", input); });
    const auto heads = write(R"({"version":1,"component":"attention_heads","metadata":null})");
    expect_error(ErrorKind::bad_input, {"e.gguf", "attention_heads"}, [&] { read_directions(heads, "", output); });
}

TEST_F(DirectionFiles, HalfPrecisionControlVectorsAreRead) {
    GgufWriter gguf("controlvector");
    const std::vector<std::uint16_t> halves = {0x3c00, 0xc000};
    gguf.tensor("direction.1", {2}, 1, std::string(reinterpret_cast<const char *>(halves.data()), 4));
    gguf.write(folder_ / "h.gguf");
    EXPECT_THAT(read_directions(folder_ / "h.gguf", "", output).rows, ElementsAre(1, -2));
}

TEST_F(DirectionFiles, BadControlVectorsAreNamed) {
    const auto expect_bad = [&](const GgufWriter & gguf, const std::vector<std::string> & words) {
        gguf.write(folder_ / "b.gguf");
        expect_error(ErrorKind::bad_input, words, [&] { read_directions(folder_ / "b.gguf", "", output); });
    };
    GgufWriter model("llama");
    model.tensor("blk.0.ffn_down.weight", {2}, std::vector<float>{1, 2});
    expect_bad(model, {"b.gguf", "'llama'", "controlvector"});
    GgufWriter none("controlvector");
    none.number("controlvector.layer_count", 0);
    expect_bad(none, {"b.gguf", "direction.N"});
    GgufWriter odd("controlvector");
    odd.tensor("direction.one", {2}, std::vector<float>{1, 2});
    expect_bad(odd, {"direction.one"});
    GgufWriter uneven("controlvector");
    uneven.tensor("direction.1", {2}, std::vector<float>{1, 2});
    uneven.tensor("direction.2", {3}, std::vector<float>{1, 2, 3});
    expect_bad(uneven, {"direction.2", "3", "2"});
    GgufWriter matrix("controlvector");
    matrix.tensor("direction.1", {2, 2}, std::vector<float>{1, 2, 3, 4});
    expect_bad(matrix, {"direction.1", "one vector"});

    GgufWriter good("controlvector");
    good.tensor("direction.1", {64}, std::vector<float>(64, 1.0f));
    good.write(folder_ / "g.gguf");
    const std::string bytes = read_file(folder_ / "g.gguf");
    for (const std::size_t size : {std::size_t{4}, std::size_t{20}, bytes.size() / 2, bytes.size() - 8}) {
        write_file(folder_ / "cut.gguf", bytes.substr(0, size));
        expect_error(ErrorKind::bad_input, {"cut.gguf"}, [&] { read_directions(folder_ / "cut.gguf", "", output); });
    }
    expect_error(ErrorKind::bad_input, {"absent"}, [&] { read_directions(folder_ / "absent", "k", output); });
}

TEST_F(DirectionFiles, RowsOfOtherToolsAreCountedAsTheUserSays) {
    const auto file = foreign_safetensors({3, 2}, {1, 2, 3, 4, 5, 6});
    const Directions outputs = read_directions(file, "v", output);
    EXPECT_THAT(outputs.layers, ElementsAre(0, 1, 2));
    EXPECT_TRUE(outputs.all_layers);
    EXPECT_THAT(outputs.notes, ElementsAre(HasSubstr("which model")));
    const Directions inputs = read_directions(file, "v", input);
    EXPECT_THAT(inputs.layers, ElementsAre(0, 1));
    EXPECT_THAT(inputs.rows, ElementsAre(3, 4, 5, 6));
    EXPECT_THAT(inputs.notes, Contains(HasSubstr("row 0")));
}

TEST_F(DirectionFiles, OneVectorBelongsToNoBlock) {
    for (const std::vector<std::size_t> & shape : {std::vector<std::size_t>{2}, std::vector<std::size_t>{1, 2}}) {
        const auto file = foreign_safetensors(shape, {1, 2});
        EXPECT_THAT(read_directions(file, "v", output).layers, IsEmpty());
        expect_error(ErrorKind::usage, {"location=layer_input"}, [&] { read_directions(file, "v", input); });
        const Directions folded = fold_directions(read_directions(file, "v", output), 4, 5, {.alpha = 2});
        EXPECT_THAT(folded.layers, ElementsAre(4, 5));
        EXPECT_THAT(folded.rows, ElementsAre(2, 4, 2, 4));
    }
}

TEST_F(DirectionFiles, OurOwnFilesSayWhereTheyAct) {
    write_directions_npz(folder_ / "d.npz", some_directions(), {});
    expect_error(ErrorKind::bad_input, {"d.npz", "layer_input", "resid_post"},
                 [&] { read_directions(folder_ / "d.npz", "power/shared", input); });
}

TEST_F(DirectionFiles, ShapesThatAreNoDirectionsAreRefused) {
    const auto file = foreign_safetensors({1, 1, 2}, {1, 2});
    expect_error(ErrorKind::bad_input, {"other.safetensors", "\"v\"", "[1, 1, 2]"},
                 [&] { read_directions(file, "v", output); });
    const std::vector<std::int64_t> layers = {2, 1};
    const std::vector<float> rows = {1, 2, 3, 4};
    write_npz(folder_ / "l.npz", {{"v", npy_array({2, 2}, std::span<const float>(rows))},
                                  {"layers", npy_array({2}, std::span<const std::int64_t>(layers))}});
    expect_error(ErrorKind::bad_input, {"l.npz", "ascending"},
                 [&] { read_directions(folder_ / "l.npz", "v", output); });
    expect_error(ErrorKind::usage, {"l.npz", "KEY"}, [&] { read_directions(folder_ / "l.npz", "", output); });
}

TEST(FoldDirections, AlphaAndUnitAreMultipliedIn) {
    const Directions raw = fold_directions(some_directions(), -1, -1, {.alpha = -2});
    EXPECT_THAT(raw.rows, ElementsAre(-6, -8, -12, -16, 0, -10));
    const Directions resid = fold_directions(some_directions(), 1, 2, {.alpha = 0.5f, .resid_unit = true});
    EXPECT_THAT(resid.layers, ElementsAre(1, 2));
    EXPECT_THAT(resid.rows, ElementsAre(6, 8, 0, 15)); // half of 20 and 30 along unit vectors
    EXPECT_EQ(resid.resid_norm.size(), 2u);
    EXPECT_EQ(fold_directions(some_directions(), -1, -1, {}).rows, some_directions().rows);
}

TEST(FoldDirections, WhatCannotBeFoldedIsNamed) {
    Directions directions = some_directions();
    directions.rows[2] = NAN;
    expect_error(ErrorKind::bad_input, {"power/shared", "NaN", "layer 1", "--layers A-B"},
                 [&] { fold_directions(directions, -1, -1, {.layers_option = "--layers A-B"}); });
    EXPECT_THAT(fold_directions(directions, 2, 2, {}).rows, ElementsAre(0, 5));
    expect_error(ErrorKind::usage, {"power/shared", "layer 3", "0 to 2"},
                 [&] { fold_directions(directions, 2, 3, {}); });
    directions.resid_norm.clear();
    expect_error(ErrorKind::bad_input, {"resid_norm", "unit=raw"},
                 [&] { fold_directions(directions, 2, 2, {.resid_unit = true}); });
}

} // namespace
} // namespace valuelens
