#include "store/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "store/half.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"

using namespace valuelens;

namespace {

class Safetensors : public testing::Test {
protected:
    /// A file of that header and so many zero bytes of data.
    std::filesystem::path write_raw(const std::string & header, std::size_t data_bytes) {
        const std::filesystem::path path = folder / "raw.safetensors";
        std::ofstream file(path, std::ios::binary);
        const std::uint64_t length = header.size();
        file.write(reinterpret_cast<const char *>(&length), sizeof(length));
        file << header << std::string(data_bytes, '\0');
        return path;
    }

    void expect_bad(const std::string & header, std::size_t data_bytes, const std::vector<std::string> & words) {
        const std::filesystem::path path = write_raw(header, data_bytes);
        std::vector<std::string> all = words;
        all.push_back("raw.safetensors");
        expect_error(ErrorKind::bad_input, all, [&] { SafetensorsFile file(path); });
    }

    TempFolder folder;
};

} // namespace

TEST_F(Safetensors, ReadsAFileWrittenByTheReferenceLibrary) {
    const std::filesystem::path path =
        std::filesystem::path(VALUELENS_SHARED_DIR) / "golden" / "smollm2-135m-instruct.safetensors";
    if (!std::filesystem::exists(path)) {
        GTEST_SKIP() << "no golden files at " << path;
    }
    const SafetensorsFile file(path);
    const TensorView & means = file.find("resid_post_mean");
    EXPECT_EQ(means.dtype, DType::f32);
    EXPECT_EQ(means.shape, (std::vector<std::size_t>{16, 30, 576}));
    EXPECT_EQ(file.find("scaled_neurons").dtype, DType::i32);

    // The axes are unit vectors: a wrong offset or element size would not give that.
    const std::vector<float> axes = file.read_f32("u_shared");
    for (std::size_t layer = 0; layer < 30; ++layer) {
        double square = 0;
        for (std::size_t i = 0; i < 576; ++i) {
            square += static_cast<double>(axes[layer * 576 + i]) * axes[layer * 576 + i];
        }
        EXPECT_NEAR(square, 1.0, 1e-5) << layer;
    }
    expect_error(ErrorKind::bad_input, {"scaled_neurons", "I32"}, [&] { file.read_f32("scaled_neurons"); });
}

TEST_F(Safetensors, RowsOfSeveralTensorsInTurn) {
    const std::filesystem::path path = folder / "rows.safetensors";
    SafetensorsWriter writer(path);
    writer.set_metadata({{"zeta", "last"}, {"alpha", "\"quoted\" \xC3\xBC"}});
    writer.declare("b", DType::f32, {3, 2});
    writer.declare("a", DType::f16, {3});
    writer.declare("wide", DType::f64, {1});
    writer.declare("counts", DType::i64, {2});
    writer.declare("bytes", DType::u8, {3});
    writer.declare("empty", DType::f32, {0, 7});
    for (int row = 0; row < 3; ++row) {
        const std::vector<float> pair{row + 0.25f, row + 0.5f};
        writer.append("b", pair);
        writer.append("a", std::vector<float>{row * 0.5f});
    }
    const double wide = 1.0 / 3.0;
    const std::vector<std::int64_t> counts{-1, std::int64_t{1} << 40};
    writer.append("wide", &wide, sizeof(wide));
    writer.append("counts", counts.data(), 16);
    writer.append("bytes", "abc", 3);
    EXPECT_FALSE(std::filesystem::exists(path));
    writer.commit();

    const SafetensorsFile file(path);
    EXPECT_EQ(file.names(), (std::vector<std::string>{"b", "a", "wide", "counts", "bytes", "empty"}));
    EXPECT_EQ(file.metadata().at("alpha"), "\"quoted\" \xC3\xBC");
    EXPECT_EQ(file.read_f32("b"), (std::vector<float>{0.25f, 0.5f, 1.25f, 1.5f, 2.25f, 2.5f}));
    EXPECT_EQ(file.read_f32("a"), (std::vector<float>{0.0f, 0.5f, 1.0f}));
    EXPECT_EQ(file.read_f32("wide"), (std::vector<float>{1.0f / 3.0f}));
    EXPECT_EQ(std::memcmp(file.find("counts").bytes.data(), counts.data(), 16), 0);
    EXPECT_TRUE(file.find("empty").bytes.empty());
    expect_error(ErrorKind::bad_input, {"rows.safetensors", "'absent'", "wide"}, [&] { file.find("absent"); });
}

TEST_F(Safetensors, BytesAreDeterministicAndAligned) {
    const auto write = [&](const std::string & name, bool backwards) {
        SafetensorsWriter writer(folder / name);
        writer.set_metadata({{"k", "v"}});
        writer.declare("t", DType::f32, {2, 1});
        const std::vector<float> rows{1.0f, 2.0f};
        for (const std::size_t row : backwards ? std::vector<std::size_t>{1, 0} : std::vector<std::size_t>{0, 1}) {
            writer.write_at("t", row * 4, &rows[row], 4);
        }
        writer.commit();
        return read_file(folder / name);
    };
    const std::string bytes = write("one", false);
    EXPECT_EQ(bytes, write("two", true));
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), sizeof(length));
    EXPECT_EQ(length % 8, 0u);
    EXPECT_EQ(bytes.size(), 8 + length + 8);
    const std::string header = R"({"__metadata__":{"k":"v"},"t":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}})";
    EXPECT_EQ(bytes.substr(8, header.size()), header);
}

TEST_F(Safetensors, ConvertsBf16) {
    const std::filesystem::path path = folder / "bf16";
    SafetensorsWriter writer(path);
    writer.declare("t", DType::bf16, {2});
    const std::vector<std::uint16_t> bits{0x3f80, 0xc040};
    writer.append("t", bits.data(), 4);
    writer.commit();
    EXPECT_EQ(SafetensorsFile(path).read_f32("t"), (std::vector<float>{1.0f, -3.0f}));
}

TEST_F(Safetensors, AnAbandonedWriterLeavesNothing) {
    {
        SafetensorsWriter writer(folder / "partial");
        writer.declare("t", DType::f32, {4});
        writer.append("t", std::vector<float>{1.0f});
        expect_error(ErrorKind::internal, {"'t'", "4 of 16"}, [&] { writer.commit(); });
    }
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST_F(Safetensors, MisuseOfTheWriterIsABug) {
    SafetensorsWriter writer(folder / "x");
    writer.declare("t", DType::f32, {1});
    expect_error(ErrorKind::internal, {"'t'"}, [&] { writer.declare("t", DType::f32, {1}); });
    expect_error(ErrorKind::internal, {"'u'"}, [&] { writer.append("u", "", 0); });
    expect_error(ErrorKind::internal, {"does not fit"}, [&] { writer.append("t", std::vector<float>{1, 2}); });
    writer.append("t", std::vector<float>{1});
    expect_error(ErrorKind::internal, {"'late'"}, [&] { writer.declare("late", DType::f32, {1}); });
}

TEST_F(Safetensors, EveryTruncationIsNoticed) {
    const std::filesystem::path path = folder / "whole";
    const std::vector<float> values{1, 2, 3};
    const std::vector<FloatTensor> tensors{{"t", {3}, values}};
    write_safetensors(path, tensors, {{"k", "v"}});
    const std::string bytes = read_file(path);
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        write_file(folder / "cut", std::string_view(bytes).substr(0, length));
        expect_error(ErrorKind::bad_input, {"cut"}, [&] { SafetensorsFile file(folder / "cut"); });
    }
    write_file(folder / "cut", bytes + "x");
    expect_error(ErrorKind::bad_input, {"1 bytes follow"}, [&] { SafetensorsFile file(folder / "cut"); });
    write_file(folder / "cut", std::string_view(bytes).substr(0, bytes.size() - 1));
    expect_error(ErrorKind::bad_input, {"'t'", "truncated"}, [&] { SafetensorsFile file(folder / "cut"); });
}

TEST_F(Safetensors, BadHeaders) {
    expect_bad("{not json", 0, {"JSON"});
    expect_bad("[1, 2]", 0, {"not a JSON object"});
    expect_bad(R"({"t": 3})", 0, {"'t'", "dtype"});
    expect_bad(R"({"t": {"dtype":"F32","shape":[1]}})", 4, {"'t'", "data_offsets"});
    expect_bad(R"({"t": {"dtype":"F8","shape":[1],"data_offsets":[0,1]}})", 1, {"'t'", "F8"});
    expect_bad(R"({"t": {"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4, {"'t'", "shape"});
    expect_bad(R"({"t": {"dtype":"F32","shape":[2.5],"data_offsets":[0,4]}})", 4, {"'t'", "shape"});
    expect_bad(R"({"t": {"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0, {"'t'", "shape"});
    expect_bad(R"({"t": {"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4, {"'t'", "needs 8 bytes"});
    expect_bad(R"({"t": {"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4, {"'t'"});
    expect_bad(
        R"({"t": {"dtype":"U8","shape":[1],"data_offsets":[0,1]},"t": {"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
        1, {"'t'", "twice"});
    expect_bad(R"({"__metadata__": {"n": 3}})", 0, {"'n'", "not a text"});
}

TEST_F(Safetensors, OverlapsAndHoles) {
    expect_bad(
        R"({"a": {"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b": {"dtype":"U8","shape":[4],"data_offsets":[2,6]}})",
        6, {"'b'", "overlaps"});
    expect_bad(
        R"({"a": {"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b": {"dtype":"U8","shape":[2],"data_offsets":[4,6]}})",
        6, {"'b'", "hole"});
}

TEST_F(Safetensors, AHeaderLengthBeyondTheFile) {
    std::string bytes(16, '\xff');
    write_file(folder / "huge", bytes);
    expect_error(ErrorKind::bad_input, {"huge", "truncated or not safetensors"},
                 [&] { SafetensorsFile file(folder / "huge"); });
    expect_error(ErrorKind::bad_input, {"absent"}, [&] { SafetensorsFile file(folder / "absent"); });
    expect_error(ErrorKind::bad_input, {"not a file"}, [&] { SafetensorsFile file(folder.path()); });
}
