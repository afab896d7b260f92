#include "engine/down_projections.h"

#include <fmt/format.h>
#include <ggml.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "support/expect_error.h"
#include "support/gguf_writer.h"
#include "support/temp_folder.h"

namespace valuelens {
namespace {

using test::GgufWriter;

std::vector<float> random_values(std::size_t n, std::uint64_t seed) {
    Rng rng(seed);
    std::vector<float> values(n);
    for (float & x : values) {
        x = static_cast<float>(rng.normal());
    }
    return values;
}

GgufWriter model_of(const std::string & architecture, std::uint32_t n_layer, std::uint32_t n_embd) {
    GgufWriter gguf(architecture);
    gguf.number(architecture + ".block_count", n_layer);
    gguf.number(architecture + ".embedding_length", n_embd);
    return gguf;
}

/// A whole matrix, read in one piece.
std::vector<float> read_all(const DownProjections & model, std::size_t matrix) {
    const std::size_t n = model.matrices()[matrix].n_neuron;
    std::vector<float> values(model.n_embd() * n);
    model.read(matrix, 0, model.n_embd(), 0, n, values.data(), n);
    return values;
}

class DownProjectionsTest : public testing::Test {
protected:
    std::string path(const std::string & name = "model.gguf") const { return (folder_ / name).string(); }
    void expect_refused(const GgufWriter & gguf, const std::vector<std::string> & words) const {
        gguf.write(path());
        expect_error(ErrorKind::model, words, [&] { DownProjections{path()}; });
    }
    TempFolder folder_;
};

TEST_F(DownProjectionsTest, EveryTypeIsReadAsGgmlDequantisesIt) {
    constexpr std::size_t n_ff = 512;
    constexpr std::size_t n_embd = 6;
    struct Case {
        ggml_type type;
        double tolerance; ///< of a value of standard deviation 1: the step of the type
    };
    for (const auto & [type, tolerance] :
         {Case{GGML_TYPE_F32, 0}, Case{GGML_TYPE_F16, 2e-3}, Case{GGML_TYPE_BF16, 2e-2}, Case{GGML_TYPE_Q8_0, 3e-2},
          Case{GGML_TYPE_Q4_K, 0.5}}) {
        const std::vector<float> weights = random_values(n_ff * n_embd, 1);
        std::string data(n_embd * ggml_row_size(type, n_ff), '\0');
        ggml_quantize_chunk(type, weights.data(), data.data(), 0, n_embd, n_ff, nullptr);
        GgufWriter gguf = model_of("llama", 1, n_embd);
        gguf.tensor("blk.0.ffn_down.weight", {n_ff, n_embd}, type, data);
        const DownProjections model(gguf.write(path()));
        ASSERT_EQ(model.matrices().size(), 1u);
        EXPECT_EQ(model.matrices()[0].n_neuron, n_ff);
        EXPECT_EQ(model.matrices()[0].expert, -1);
        EXPECT_EQ(model.matrices()[0].bytes, data.size());
        EXPECT_EQ(model.column_step(0), static_cast<std::size_t>(ggml_blck_size(type)));
        const std::vector<float> whole = read_all(model, 0);
        double worst = 0;
        for (std::size_t i = 0; i < whole.size(); ++i) {
            worst = std::max(worst, static_cast<double>(std::abs(whole[i] - weights[i])));
        }
        EXPECT_LE(worst, tolerance) << ggml_type_name(type);
        // A piece is the same numbers.
        std::vector<float> piece(3 * 300, -1.0f);
        model.read(0, 2, 3, 256, 256, piece.data(), 300);
        for (std::size_t r = 0; r < 3; ++r) {
            for (std::size_t c = 0; c < 256; ++c) {
                ASSERT_EQ(piece[r * 300 + c], whole[(r + 2) * n_ff + 256 + c]) << ggml_type_name(type);
            }
            EXPECT_EQ(piece[r * 300 + 256], -1.0f) << "wrote past its columns";
        }
    }
}

TEST_F(DownProjectionsTest, MixturesHaveOneMatrixPerExpertAndTheShared) {
    GgufWriter gguf = model_of("deepseek2", 2, 2);
    gguf.tensor("blk.0.ffn_down.weight", {3, 2}, random_values(6, 1));
    const std::vector<float> experts = random_values(2 * 2 * 4, 2);
    gguf.tensor("blk.1.ffn_down_exps.weight", {2, 2, 4}, experts);
    const std::vector<float> shared = random_values(10, 3);
    gguf.tensor("blk.1.ffn_down_shexp.weight", {5, 2}, shared);
    const DownProjections model(gguf.write(path()));
    std::vector<std::tuple<int, int, std::size_t>> places;
    for (const DownProjection & matrix : model.matrices()) {
        places.emplace_back(matrix.layer, matrix.expert, matrix.n_neuron);
    }
    EXPECT_EQ(places, (std::vector<std::tuple<int, int, std::size_t>>{
                          {0, -1, 3}, {1, -2, 5}, {1, 0, 2}, {1, 1, 2}, {1, 2, 2}, {1, 3, 2}}));
    EXPECT_EQ(read_all(model, 1), shared);
    EXPECT_EQ(read_all(model, 4), std::vector<float>(experts.begin() + 8, experts.begin() + 12)) << "expert 2";
    model.prefetch(0, 6);
    model.release(0, 6);
    EXPECT_EQ(read_all(model, 1), shared) << "released pages come back";
}

TEST_F(DownProjectionsTest, NormsAfterTheMlpAndScalesMultiplyTheRows) {
    GgufWriter gguf = model_of("gemma2", 1, 2);
    gguf.tensor("blk.0.ffn_down.weight", {2, 2}, {1, 2, 3, 4});
    gguf.tensor("blk.0.post_ffw_norm.weight", {2}, {10, 100});
    gguf.tensor("blk.0.ffn_down.scale", {1}, {0.5});
    gguf.tensor("blk.0.ffn_norm.weight", {2}, {7, 7});
    EXPECT_EQ(read_all(DownProjections(gguf.write(path())), 0), (std::vector<float>{5, 10, 150, 200}));
}

TEST_F(DownProjectionsTest, BlocksOfGemma4WithExpertsHaveANormForEachBranch) {
    GgufWriter gguf = model_of("gemma4", 2, 2);
    for (int layer = 0; layer < 2; ++layer) {
        const std::string block = fmt::format("blk.{}.", layer);
        gguf.tensor(block + "ffn_down.weight", {1, 2}, {1, 1});
        gguf.tensor(block + "post_ffw_norm.weight", {2}, {2, 3});
    }
    gguf.tensor("blk.1.ffn_down_exps.weight", {1, 2, 2}, {1, 1, 1, 1});
    gguf.tensor("blk.1.ffn_down_exps.scale", {2}, {1, 4});
    gguf.tensor("blk.1.post_ffw_norm_1.weight", {2}, {5, 5});
    gguf.tensor("blk.1.post_ffw_norm_2.weight", {2}, {7, 7});
    gguf.tensor("blk.1.layer_output_scale.weight", {1}, {0.5});
    const DownProjections model(gguf.write(path()));
    EXPECT_EQ(read_all(model, 0), (std::vector<float>{2, 3}));
    EXPECT_EQ(read_all(model, 1), (std::vector<float>{5, 7.5})) << "dense: 2 x 5 x 0.5, 3 x 5 x 0.5";
    EXPECT_EQ(read_all(model, 2), (std::vector<float>{7, 10.5})) << "expert 0: 2 x 7 x 0.5, 3 x 7 x 0.5";
    EXPECT_EQ(read_all(model, 3), (std::vector<float>{28, 42})) << "expert 1 is scaled by 4";
}

TEST_F(DownProjectionsTest, NormsOfOtherNamesCountWhereTheyFollowTheMlp) {
    GgufWriter grok = model_of("grok", 1, 2);
    grok.tensor("blk.0.ffn_down_exps.weight", {1, 2, 1}, {1, 1});
    grok.tensor("blk.0.layer_output_norm.weight", {2}, {2, 3});
    EXPECT_EQ(read_all(DownProjections(grok.write(path())), 0), (std::vector<float>{2, 3}));
    for (const bool swin : {true, false}) {
        GgufWriter chameleon = model_of("chameleon", 1, 2);
        chameleon.flag("chameleon.swin_norm", swin);
        chameleon.tensor("blk.0.ffn_down.weight", {1, 2}, {1, 1});
        chameleon.tensor("blk.0.ffn_norm.weight", {2}, {2, 3});
        EXPECT_EQ(read_all(DownProjections(chameleon.write(path())), 0),
                  swin ? (std::vector<float>{2, 3}) : (std::vector<float>{1, 1}));
    }
}

TEST_F(DownProjectionsTest, AllPartsAreRead) {
    const std::vector<float> second = random_values(4, 2);
    for (std::uint16_t part = 0; part < 2; ++part) {
        GgufWriter gguf = model_of("llama", 2, 2);
        gguf.small_number("split.count", 2);
        gguf.small_number("split.no", part);
        gguf.tensor(fmt::format("blk.{}.ffn_down.weight", part), {2, 2}, part == 0 ? random_values(4, 1) : second);
        gguf.write(path(fmt::format("m-{:05}-of-00002.gguf", part + 1)));
    }
    const DownProjections model(path("m-00001-of-00002.gguf"));
    ASSERT_EQ(model.matrices().size(), 2u);
    EXPECT_EQ(read_all(model, 1), second);
}

TEST_F(DownProjectionsTest, BlocksWithoutAnMlpAreCounted) {
    GgufWriter gguf = model_of("nemotron_h", 3, 2);
    gguf.numbers("nemotron_h.feed_forward_length", {0, 2, 0});
    gguf.tensor("blk.1.ffn_down.weight", {2, 2}, {1, 2, 3, 4});
    const DownProjections model(gguf.write(path()));
    EXPECT_EQ(model.matrices().size(), 1u);
    EXPECT_EQ(model.n_layer(), 3u);
    ASSERT_EQ(model.notes().size(), 1u);
    EXPECT_EQ(model.notes()[0], "2 of 3 blocks have no MLP");
    EXPECT_EQ(read_model_info(path()).n_ff, 2); // of the block that has one
}

TEST_F(DownProjectionsTest, BlocksForMultiTokenPredictionAreNoLayers) {
    GgufWriter gguf = model_of("glm4moe", 2, 2);
    gguf.number("glm4moe.nextn_predict_layers", 1);
    gguf.tensor("blk.0.ffn_down.weight", {2, 2}, {1, 2, 3, 4});
    gguf.tensor("blk.1.ffn_down.weight", {2, 2}, {1, 2, 3, 4});
    const DownProjections model(gguf.write(path()));
    EXPECT_EQ(model.n_layer(), 1u);
    EXPECT_EQ(model.matrices().size(), 1u);
    EXPECT_EQ(read_model_info(path()).n_layer, 1); // what capture and steering count, too
}

TEST_F(DownProjectionsTest, WhatIsNotKnownIsRefusedByName) {
    GgufWriter none = model_of("rwkv7", 2, 2);
    none.number("rwkv7.feed_forward_length", 4);
    none.tensor("blk.0.channel_mix_value.weight", {2, 2}, {1, 2, 3, 4});
    expect_refused(none, {"model.gguf", "block 0", "ffn_down", "rwkv7"});

    GgufWriter mamba = model_of("mamba", 1, 2);
    mamba.number("mamba.feed_forward_length", 0);
    mamba.tensor("token_embd.weight", {2, 2}, {1, 2, 3, 4});
    expect_refused(mamba, {"no block has an MLP"});

    GgufWriter latent = model_of("nemotron_h_moe", 1, 4);
    latent.tensor("blk.0.ffn_down_exps.weight", {2, 2, 1}, {1, 2, 3, 4});
    expect_refused(latent, {"blk.0.ffn_down_exps.weight", "[2, 2, 1, 1]", "[n_ff, 4, n_expert]"});

    GgufWriter integers = model_of("llama", 1, 2);
    integers.tensor("blk.0.ffn_down.weight", {2, 2}, GGML_TYPE_I32, std::string(16, '\1'));
    expect_refused(integers, {"blk.0.ffn_down.weight", "i32"});

    GgufWriter norm = model_of("gemma2", 1, 2);
    norm.tensor("blk.0.ffn_down.weight", {2, 2}, {1, 2, 3, 4});
    norm.tensor("blk.0.post_ffw_norm.weight", {3}, {1, 2, 3});
    expect_refused(norm, {"blk.0.post_ffw_norm.weight", "[3, 1, 1, 1]", "[2]"});

    write_file(path(), "no model");
    expect_error(ErrorKind::model, {"not a GGUF"}, [&] { DownProjections{path()}; });
}

} // namespace
} // namespace valuelens
