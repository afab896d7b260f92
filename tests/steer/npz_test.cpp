#include "steer/npz.h"

#include <cmath>
#include <cstring>

#include "base/file.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"

namespace valuelens {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

template <typename T>
std::string bytes_of(const std::vector<T> & values) {
    return {reinterpret_cast<const char *>(values.data()), values.size() * sizeof(T)};
}

TEST(Crc32, CheckValueOfTheStandard) {
    EXPECT_EQ(crc32("123456789"), 0xcbf43926u);
    EXPECT_EQ(crc32(""), 0u);
}

class Npz : public testing::Test {
protected:
    void write(const std::map<std::string, NpyArray> & arrays) const { write_npz(path_, arrays); }
    TempFolder folder_;
    std::filesystem::path path_ = folder_ / "a.npz";
};

TEST_F(Npz, HeaderBytesAreThoseOfNumpy) {
    const std::vector<float> values = {1, 2, 3, 4, 5, 6};
    write({{"k", npy_array({2, 3}, std::span<const float>(values))}});
    const std::string file = read_file(path_);
    // The bytes that numpy 1.26 writes for np.savez(k=np.zeros((2, 3), "f4")): local header, name, .npy header.
    EXPECT_EQ(file.substr(0, 4), std::string("PK\x03\x04", 4));
    EXPECT_EQ(file.substr(30, 5), "k.npy");
    const std::size_t npy = 35;
    EXPECT_EQ(file.substr(npy, 10), std::string("\x93NUMPY\x01\x00\x76\x00", 10));
    const std::string header = file.substr(npy + 10, 0x76);
    EXPECT_THAT(header, HasSubstr("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"));
    EXPECT_EQ(header.back(), '\n');
    EXPECT_EQ((10 + header.size()) % 64, 0u);
    EXPECT_EQ(file.substr(npy + 128, 24), bytes_of(values));
    // The checksum and sizes in both places that a zip keeps them.
    const std::string member = file.substr(npy, 128 + 24);
    const std::uint32_t crc = crc32(member);
    const std::size_t central = file.find(std::string("PK\x01\x02", 4));
    ASSERT_NE(central, std::string::npos);
    for (const std::size_t at : {std::size_t{14}, central + 16}) {
        std::uint32_t fields[3] = {};
        std::memcpy(fields, file.data() + at, sizeof(fields));
        EXPECT_EQ(fields[0], crc);
        EXPECT_EQ(fields[1], member.size());
        EXPECT_EQ(fields[2], member.size());
    }
    EXPECT_EQ(file.substr(file.size() - 22, 4), std::string("PK\x05\x06", 4));
}

TEST_F(Npz, WhatIsWrittenIsReadBack) {
    const std::vector<float> values = {1.5f, -2, 0, NAN, INFINITY, 1e-30f};
    const std::vector<std::int64_t> layers = {3, 4};
    write({{"a/b", npy_array({2, 3}, std::span<const float>(values))},
           {"layers", npy_array({2}, std::span<const std::int64_t>(layers))},
           {"metadata", npy_text("{\"x\": 1}")}});
    const NpzFile file(path_);
    EXPECT_THAT(file.names(), ElementsAre("a/b", "layers", "metadata"));
    EXPECT_THAT(file.find("a/b").shape, ElementsAre(2u, 3u));
    EXPECT_THAT(file.find("layers").shape, ElementsAre(2u));
    EXPECT_TRUE(file.find("metadata").shape.empty());
    const std::vector<float> read = file.read_f32("a/b");
    EXPECT_EQ(bytes_of(read), bytes_of(values));
    EXPECT_THAT(file.read_i64("layers"), ElementsAre(3, 4));
    EXPECT_EQ(file.read_text("metadata"), "{\"x\": 1}");
    expect_error(ErrorKind::bad_input, {"a.npz", "\"c\"", "a/b, layers"}, [&] { file.find("c"); });
    expect_error(ErrorKind::bad_input, {"layers", "<i8"}, [&] { file.read_f32("layers"); });
}

TEST_F(Npz, OtherTypesAndOrdersAreConverted) {
    write({{"f8", {"<f8", {2}, bytes_of<double>({0.1, -3})}},
           {"f2", {"<f2", {2}, bytes_of<std::uint16_t>({0x3c00, 0xc000})}},
           {"i4", {"<i4", {2}, bytes_of<std::int32_t>({7, -1})}}});
    const NpzFile file(path_);
    EXPECT_THAT(file.read_f32("f8"), ElementsAre(0.1f, -3.0f));
    EXPECT_THAT(file.read_f32("f2"), ElementsAre(1.0f, -2.0f));
    EXPECT_THAT(file.read_i64("i4"), ElementsAre(7, -1));
}

TEST_F(Npz, FortranOrderIsTurned) {
    const std::vector<float> columns = {1, 4, 2, 5, 3, 6}; // of [[1, 2, 3], [4, 5, 6]]
    write({{"t", npy_array({2, 3}, std::span<const float>(columns))}});
    std::string file = read_file(path_);
    const std::size_t at = file.find("False,");
    file.replace(at, 6, "True, ");
    const std::uint32_t crc = crc32(std::string_view(file).substr(35, 128 + 24));
    const std::size_t central = file.find(std::string("PK\x01\x02", 4));
    std::memcpy(file.data() + central + 16, &crc, sizeof(crc));
    write_file(path_, file);
    EXPECT_THAT(NpzFile(path_).read_f32("t"), ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST_F(Npz, DamageIsNamed) {
    const std::vector<float> values = {1, 2};
    write({{"k", npy_array({2}, std::span<const float>(values))}});
    const std::string whole = read_file(path_);
    const std::size_t central = whole.find(std::string("PK\x01\x02", 4));
    const auto expect_bad = [&](std::string file, const std::vector<std::string> & words) {
        write_file(path_, file);
        expect_error(ErrorKind::bad_input, words, [&] { NpzFile(path_).read_f32("k"); });
    };
    expect_bad(whole.substr(0, whole.size() - 30), {"a.npz", "no zip directory"});
    expect_bad("", {"no zip directory"});
    std::string changed = whole;
    changed[35 + 128] ^= 1;
    expect_bad(changed, {"\"k\"", "checksum"});
    changed = whole;
    changed[central + 10] = 8;
    expect_bad(changed, {"\"k\"", "compressed", "numpy.savez"});
    changed = whole;
    changed[central + 42] = 9;
    expect_bad(changed, {"\"k\""});
    changed = whole;
    changed[central + 24] = '\x7f'; // a size beyond the file
    changed[central + 25] = '\x7f';
    expect_bad(changed, {"\"k\"", "truncated"});
    for (std::size_t cut = 0; cut < whole.size(); ++cut) {
        write_file(path_, whole.substr(0, cut));
        EXPECT_THROW(NpzFile(path_).find("k"), Error) << cut;
    }
}

TEST_F(Npz, ShapesThatDoNotFitTheDataAreRefused) {
    write({{"k", {"<f4", {3}, bytes_of<float>({1, 2})}}, {"big", {">f4", {2}, bytes_of<float>({1, 2})}}});
    const NpzFile file(path_);
    expect_error(ErrorKind::bad_input, {"\"k\"", "shape"}, [&] { file.find("k"); });
    expect_error(ErrorKind::bad_input, {"\"big\"", ">f4"}, [&] { file.find("big"); });
}

} // namespace
} // namespace valuelens
