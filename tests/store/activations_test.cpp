#include "store/activations.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>

#include "base/random.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"

using namespace valuelens;

namespace {

constexpr ActivationShape shape{2, 3, 0, 0};

Provenance toy(const std::string & hash = "hash-a") {
    Provenance provenance;
    provenance.model_name = "toy-" + hash;
    provenance.model_hash = hash;
    provenance.tool_version = "0.1.0";
    return provenance;
}

void write(const std::filesystem::path & path, const std::vector<std::string> & ids,
           const std::vector<std::vector<float>> & rows, ActivationFormat format = ActivationFormat::f32,
           const Provenance & provenance = toy()) {
    ActivationWriter writer(path, shape, provenance, format, ids);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        writer.write(i, rows[i]);
    }
    writer.commit();
}

} // namespace

TEST(Activations, ShardsReadAsOneList) {
    TempFolder folder;
    write(folder / "0", {"q1/intrinsic", "q1/power"}, {{1, 2, 3, 4, 5, 6}, {7, 8, 9, 10, 11, 12}});
    write(folder / "1", {}, {});
    write(folder / "2", {"q2/intrinsic"}, {{-1, -2, -3, -4, -5, -6}});
    const ActivationReader reader({folder / "0", folder / "1", folder / "2"});
    EXPECT_EQ(reader.count(), 3u);
    EXPECT_EQ(reader.shape(), shape);
    EXPECT_EQ(reader.provenance().model_hash, "hash-a");
    EXPECT_EQ(reader.find("q2/intrinsic"), 2u);
    EXPECT_EQ(reader.find("q3/intrinsic"), std::nullopt);
    EXPECT_EQ(reader.path_of(2), folder / "2");

    std::vector<float> row(6);
    reader.read(2, row);
    EXPECT_EQ(row, (std::vector<float>{-1, -2, -3, -4, -5, -6}));
    std::vector<std::string> ids;
    float sum = 0;
    reader.for_each([&](const std::string & id, std::span<const float> values) {
        ids.push_back(id);
        sum += values[5];
    });
    EXPECT_EQ(ids, reader.ids());
    EXPECT_EQ(sum, 6 + 12 - 6);
}

TEST(Activations, RowsComeInAnyOrderAndGiveTheSameBytes) {
    TempFolder folder;
    const std::vector<std::vector<float>> rows{{1, 2, 3, 4, 5, 6}, {7, 8, 9, 10, 11, 12}, {0, 0, 0, 0, 0, 0}};
    for (const ActivationFormat format : {ActivationFormat::f32, ActivationFormat::f16_scaled}) {
        write(folder / "forwards", {"a", "b", "c"}, rows, format);
        ActivationWriter writer(folder / "backwards", shape, toy(), format, {"a", "b", "c"});
        for (const std::size_t index : {2, 0, 1}) {
            writer.write(index, rows[index]);
        }
        writer.commit();
        EXPECT_EQ(read_file(folder / "forwards"), read_file(folder / "backwards"));
    }
}

TEST(Activations, HalfPrecisionKeepsItsBitsAtAnySize) {
    TempFolder folder;
    constexpr ActivationShape wide{6, 64, 0, 0};
    const float largest = std::numeric_limits<float>::max();
    const float smallest = std::numeric_limits<float>::denorm_min();
    std::vector<float> row(wide.n_layer * wide.n_embd);
    Rng rng(7);
    for (std::size_t i = 0; i < row.size(); ++i) {
        const float size = std::vector<float>{1e6f, 1e-6f, 3e38f, 1e-30f, 0.0f, 1.0f}[i / wide.n_embd];
        row[i] = static_cast<float>(std::clamp(rng.normal() / 6, -1.0, 1.0)) * size;
    }
    row[5 * wide.n_embd] = largest; // beside numbers near 1, which then round to zero
    row[4 * wide.n_embd] = smallest;
    ActivationWriter writer(folder / "f", wide, toy(), ActivationFormat::f16_scaled, {"a"});
    writer.write(0, row);
    writer.commit();

    const SafetensorsFile file(folder / "f");
    EXPECT_EQ(file.find("resid_post").dtype, DType::f16);
    EXPECT_EQ(file.find("resid_post_scale").shape, (std::vector<std::size_t>{1, 6}));
    std::vector<float> back(row.size());
    ActivationReader({folder / "f"}).read(0, back);
    for (std::size_t i = 0; i < row.size(); ++i) {
        const std::size_t layer = i / wide.n_embd;
        float biggest = 0;
        for (std::size_t j = layer * wide.n_embd; j < (layer + 1) * wide.n_embd; ++j) {
            biggest = std::max(biggest, std::abs(row[j]));
        }
        // Half a unit in the last of 11 bits; one whole where the largest float was rounded down; below that the step
        // of the subnormals.
        const double tolerance = std::max(std::abs(row[i]) * 0x1p-11 * (row[i] == largest ? 2 : 1), biggest * 0x1p-38);
        EXPECT_NEAR(back[i], row[i], tolerance) << i;
    }
    EXPECT_EQ(back[4 * wide.n_embd], smallest);
    EXPECT_TRUE(std::isfinite(back[5 * wide.n_embd]));
}

TEST(Activations, OptionalTensors) {
    TempFolder folder;
    constexpr ActivationShape all{2, 1, 2, 3};
    for (const ActivationFormat format : {ActivationFormat::f32, ActivationFormat::f16_scaled}) {
        ActivationWriter writer(folder / "f", all, toy(), format, {"a", "b"});
        writer.write(0, std::vector<float>{1, 2}, std::vector<float>{3, 4, 5, 6}, std::vector<float>{7, 8, 9});
        writer.write(1, std::vector<float>{-1, 2e5f}, std::vector<float>{-3, 4, 5, 65536},
                     std::vector<float>{-7, 8, 9});
        writer.commit();
        const ActivationReader reader({folder / "f"});
        EXPECT_EQ(reader.shape(), all);
        std::vector<float> mlp(4), logits(3);
        reader.read_mlp_post(1, mlp);
        reader.read_last_logits(1, logits);
        EXPECT_EQ(mlp, (std::vector<float>{-3, 4, 5, 65536}));
        EXPECT_EQ(logits, (std::vector<float>{-7, 8, 9}));
    }
}

TEST(Activations, NumbersThatAreNotFiniteAreNamed) {
    TempFolder folder;
    ActivationWriter writer(folder / "f", shape, toy(), ActivationFormat::f32, {"a", "q7/power"});
    expect_error(ErrorKind::bad_input, {"'q7/power'", "layer 1", "element 2"}, [&] {
        writer.write(1, std::vector<float>{1, 2, 3, 4, 5, std::nanf("")});
    });
    expect_error(ErrorKind::bad_input, {"'a'", "layer 0", "inf"}, [&] {
        writer.write(0, std::vector<float>{INFINITY, 2, 3, 4, 5, 6});
    });
}

TEST(Activations, MissingRowsAreABugAndLeaveNothing) {
    TempFolder folder;
    {
        ActivationWriter writer(folder / "f", shape, toy(), ActivationFormat::f32, {"a", "b"});
        writer.write(0, std::vector<float>(6));
        expect_error(ErrorKind::internal, {"twice"}, [&] { writer.write(0, std::vector<float>(6)); });
        expect_error(ErrorKind::internal, {"6 + 0 + 0"}, [&] { writer.write(1, std::vector<float>(5)); });
        expect_error(ErrorKind::internal, {"1 of 2", "'b'"}, [&] { writer.commit(); });
    }
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Activations, ShardsMustAgree) {
    TempFolder folder;
    const std::vector<float> row(6);
    write(folder / "a", {"a"}, {row});
    write(folder / "other-model", {"b"}, {row}, ActivationFormat::f32, toy("hash-b"));
    write(folder / "same-id", {"a"}, {row});
    {
        ActivationWriter writer(folder / "wider", {2, 4, 0, 0}, toy(), ActivationFormat::f32, {"b"});
        writer.write(0, std::vector<float>(8));
        writer.commit();
    }
    expect_error(ErrorKind::bad_input, {"other-model", "toy-hash-a", "toy-hash-b"}, [&] {
        ActivationReader({folder / "a", folder / "other-model"});
    });
    expect_error(ErrorKind::bad_input, {"wider", "n_embd 4"}, [&] {
        ActivationReader({folder / "a", folder / "wider"});
    });
    expect_error(ErrorKind::bad_input, {"same-id", "'a'"}, [&] {
        ActivationReader({folder / "a", folder / "same-id"});
    });
    expect_error(ErrorKind::bad_input, {"'a'"}, [&] {
        ActivationWriter(folder / "x", shape, toy(), ActivationFormat::f32, {"a", "a"});
    });
    expect_error(ErrorKind::bad_input, {"no activation file"}, [&] { ActivationReader({}); });
}

TEST(Activations, OtherFilesAreTurnedAway) {
    TempFolder folder;
    const std::vector<float> values(6);
    const std::vector<FloatTensor> tensors{{"resid_post", {1, 2, 3}, values}};
    auto metadata = std::map<std::string, std::string>{{"model_name", "m"},
                                                       {"model_hash", "h"},
                                                       {"location", "resid_post"},
                                                       {"layer_convention", "0-based block output"},
                                                       {"tool_version", "1"}};
    write_safetensors(folder / "f", tensors, metadata);
    expect_error(ErrorKind::bad_input, {"'ids'"}, [&] { ActivationReader({folder / "f"}); });
    metadata["ids"] = "{";
    write_safetensors(folder / "f", tensors, metadata);
    expect_error(ErrorKind::bad_input, {"JSON list"}, [&] { ActivationReader({folder / "f"}); });
    metadata["ids"] = R"(["a","b"])";
    write_safetensors(folder / "f", tensors, metadata);
    expect_error(ErrorKind::bad_input, {"'resid_post'", "2 rows"}, [&] { ActivationReader({folder / "f"}); });
}

TEST(Activations, WhatWasReadDoesNotStayInMemory) {
    const TempFolder folder;
    const ActivationShape shape{4, 64 * 1024, 0, 0}; // a row of 1 MiB
    constexpr std::size_t n = 160;
    std::vector<std::string> ids;
    for (std::size_t i = 0; i < n; ++i) {
        ids.push_back(std::to_string(i));
    }
    {
        ActivationWriter writer(folder / "a.safetensors", shape, toy(), ActivationFormat::f32, ids);
        const std::vector<float> row(shape.n_layer * shape.n_embd, 1.0f);
        for (std::size_t i = 0; i < n; ++i) {
            writer.write(i, row);
        }
        writer.commit();
    }
    const auto resident = [] { // pages, of the process
        std::ifstream file("/proc/self/statm");
        std::size_t total = 0;
        std::size_t pages = 0;
        file >> total >> pages;
        return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    };
    const ActivationReader reader({folder / "a.safetensors"});
    std::vector<float> row(shape.n_embd);
    const std::size_t before = resident();
    std::size_t most = before;
    for (std::size_t layer = 0; layer < shape.n_layer; ++layer) {
        for (std::size_t i = 0; i < n; ++i) {
            reader.read_layer(i, layer, row);
            ASSERT_EQ(row.front() + row.back(), 2.0f);
            most = std::max(most, resident());
        }
    }
    EXPECT_LT(most - before, 80U << 20) << "of a file of 160 MiB";
}
