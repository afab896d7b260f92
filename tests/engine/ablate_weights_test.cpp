// A model whose weights cannot write along a direction gives the logits of one whose stream is ablated wherever it is
// written to.

#include "engine/ablate_weights.h"

#include <gtest/gtest.h>

#include <ggml-backend.h>
#include <llama.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "base/random.h"
#include "engine/convert.h"
#include "engine/model_impl.h"
#include "support/expect_error.h"
#include "support/temp_folder.h"
#include "support/tiny_language_model.h"
#include "valuelens/request.h"

namespace valuelens {
namespace {

using test::TinyLanguageModel;

constexpr double same = 1e-4;
constexpr double visible = 0.05;

double max_difference(std::span<const float> a, std::span<const float> b) {
    double worst = a.size() == b.size() && !a.empty() ? 0 : INFINITY;
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
        worst = std::max(worst, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    }
    return worst;
}

std::vector<float> random_direction(std::size_t n, std::uint64_t seed) {
    Rng rng(seed);
    std::vector<float> direction(n);
    for (float & x : direction) {
        x = static_cast<float>(rng.normal());
    }
    return direction;
}

double along(std::span<const float> row, std::span<const float> direction) {
    double dot = 0;
    double squares = 0;
    for (std::size_t i = 0; i < row.size(); ++i) {
        dot += static_cast<double>(row[i]) * static_cast<double>(direction[i]);
        squares += static_cast<double>(direction[i]) * static_cast<double>(direction[i]);
    }
    return dot / std::sqrt(squares);
}

/// Takes the direction out of the embeddings, and out of the stream after each attention and each MLP.
struct StreamAblation {
    std::vector<float> direction;
    std::size_t n_edited = 0;

    static bool callback(ggml_tensor * node, bool ask, void * data) {
        const std::string_view name = ggml_get_name(node);
        const bool stream = name == "embd" || name.starts_with("ffn_inp-") || name.starts_with("l_out-");
        if (ask || !stream) {
            return stream || !ask;
        }
        auto & self = *static_cast<StreamAblation *>(data);
        std::vector<float> row(self.direction.size());
        double squares = 0;
        for (const float x : self.direction) {
            squares += static_cast<double>(x) * static_cast<double>(x);
        }
        for (std::size_t r = 0; r < static_cast<std::size_t>(ggml_nrows(node)); ++r) {
            ggml_backend_tensor_get(node, row.data(), r * node->nb[1], row.size() * sizeof(float));
            const double component = along(row, self.direction) / std::sqrt(squares);
            for (std::size_t i = 0; i < row.size(); ++i) {
                row[i] -= static_cast<float>(component * static_cast<double>(self.direction[i]));
            }
            ggml_backend_tensor_set(node, row.data(), r * node->nb[1], row.size() * sizeof(float));
            ++self.n_edited;
        }
        return true;
    }
};

class AblateWeights : public testing::Test {
protected:
    static Request request_for(const Model & model) {
        Request request;
        request.kind = RequestKind::continue_;
        request.prompt = model.render_chat("", "What matters most?").tokens;
        request.response = model.tokenize("People and what they build together.", false, false);
        request.capture = {.resid_post = true, .last_logits = true};
        return request;
    }

    static Response run(const std::shared_ptr<Model> & model, std::shared_ptr<const Intervention> intervention = {}) {
        std::vector<Request> requests(2, request_for(*model));
        requests[0].intervention = std::move(intervention);
        return Scheduler(model, {.parallel = 2}).run_all(requests)[0];
    }

    static std::vector<float> by_callback(const Model & model, StreamAblation & ablation) {
        llama_context_params parameters = llama_context_default_params();
        parameters.n_ctx = 512;
        parameters.n_threads = parameters.n_threads_batch = 1;
        parameters.type_k = parameters.type_v = GGML_TYPE_F32;
        parameters.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
        parameters.cb_eval = &StreamAblation::callback;
        parameters.cb_eval_user_data = &ablation;
        const std::unique_ptr<llama_context, void (*)(llama_context *)> context(
            llama_init_from_model(model.impl().model.get(), parameters), llama_free);
        const Request request = request_for(model);
        std::vector<llama_token> tokens = request.prompt;
        tokens.insert(tokens.end(), request.response.begin(), request.response.end());
        EXPECT_EQ(
            llama_decode(context.get(), llama_batch_get_one(tokens.data(), static_cast<std::int32_t>(tokens.size()))),
            0);
        const float * logits = llama_get_logits_ith(context.get(), -1);
        return {logits, logits + model.info().n_vocab};
    }

    void expect_equivalent(const TinyLanguageModel & weights, bool untied) {
        const std::string path = weights.write(folder_ / "m.gguf");
        const AblatedModel report = write_ablated_model(path, folder_ / "ablated.gguf", direction_, {});
        EXPECT_EQ(report.n_widened, 0u);
        EXPECT_EQ(report.untied, untied);
        const std::shared_ptr<Model> model = Model::load({.path = path, .threads = 1});
        const std::shared_ptr<Model> ablated = Model::load({.path = (folder_ / "ablated.gguf").string(), .threads = 1});
        StreamAblation everywhere{direction_};
        const std::vector<float> expected = by_callback(*model, everywhere);
        EXPECT_GT(everywhere.n_edited, 0u);
        const Response got = run(ablated);
        EXPECT_LT(max_difference(got.last_logits, expected), same);
        EXPECT_GT(max_difference(got.last_logits, run(model).last_logits), visible);
        // Nothing is left for the hook to take out of any block's output.
        auto hook = std::make_shared<Intervention>();
        for (int layer = 0; layer < model->info().n_layer; ++layer) {
            hook->directions.push_back({layer, direction_, 1, SteerMode::ablate, TokenScope::all});
            const auto row = std::span(got.resid_post).subspan(static_cast<std::size_t>(layer) * 32, 32);
            EXPECT_LT(std::abs(along(row, direction_)), same);
        }
        EXPECT_LT(max_difference(run(ablated, hook).last_logits, got.last_logits), same);
    }

    TempFolder folder_;
    std::vector<float> direction_ = random_direction(TinyLanguageModel::n_embd, 5);
};

TEST_F(AblateWeights, EqualsAblatingTheStreamWhereverItIsWrittenTo) {
    expect_equivalent(TinyLanguageModel::dense(), false);
}

TEST_F(AblateWeights, ExpertsAndTheSharedOneAreCovered) {
    expect_equivalent(TinyLanguageModel::mixture(), false);
}

TEST_F(AblateWeights, AHeadThatIsTheEmbeddingKeepsItsWeights) {
    TinyLanguageModel tied = TinyLanguageModel::dense();
    tied.remove("output.weight");
    expect_equivalent(tied, true);
}

TEST_F(AblateWeights, QuantisedTensorsThatChangeBecomeF16) {
    const std::string path = TinyLanguageModel::dense(3, 64).write(folder_ / "m.gguf");
    const std::string quantised = (folder_ / "q.gguf").string();
    convert_model(path, quantised, "q8_0", 1, silent_progress());
    const std::string to = (folder_ / "ablated.gguf").string();
    const AblatedModel report = write_ablated_model(quantised, to, direction_, {});
    EXPECT_EQ(report.n_changed, 1u + 3 * 4u);
    EXPECT_EQ(report.n_widened, 1u + 3 * 2u) << "biases are in F32";
    const std::shared_ptr<Model> model = Model::load({.path = to, .threads = 1});
    const std::vector<float> stream = run(model).resid_post;
    const std::vector<float> before = run(Model::load({.path = quantised, .threads = 1})).resid_post;
    for (std::size_t layer = 0; layer < 3; ++layer) {
        const auto row = std::span(stream).subspan(layer * TinyLanguageModel::n_embd, TinyLanguageModel::n_embd);
        EXPECT_LT(std::abs(along(row, direction_)), 2e-3) << "what rounding to F16 leaves";
    }
    EXPECT_GT(std::abs(along(std::span(before).first(TinyLanguageModel::n_embd), direction_)), 2e-2);
}

TEST_F(AblateWeights, TextsAndKeysAreKept) {
    const std::string path = TinyLanguageModel::dense().write(folder_ / "m.gguf");
    const std::string to = (folder_ / "ablated.gguf").string();
    write_ablated_model(path, to, direction_, {{"valuelens.source", "axes"}});
    const ModelInfo info = read_model_info(to);
    EXPECT_EQ(info.name, "tiny llama (ablated)");
    EXPECT_NE(info.identity, read_model_info(path).identity);
    EXPECT_TRUE(Model::load({.path = to, .threads = 1})->info().has_chat_template);
}

TEST_F(AblateWeights, WhatCannotBeDoneExactlyIsRefused) {
    const std::string to = (folder_ / "ablated.gguf").string();
    const auto refuse = [&](ErrorKind kind, const std::vector<std::string> & words, const std::string & path,
                            const std::vector<float> & direction) {
        expect_error(kind, words, [&] { write_ablated_model(path, to, direction, {}); });
        EXPECT_FALSE(std::filesystem::exists(to));
    };
    const std::string model = TinyLanguageModel::dense().write(folder_ / "m.gguf");
    refuse(ErrorKind::bad_input, {"3 numbers", "needs 32"}, model, {1, 2, 3});
    refuse(ErrorKind::bad_input, {"length 0"}, model, std::vector<float>(32));
    refuse(ErrorKind::model, {"none.gguf"}, (folder_ / "none.gguf").string(), direction_);
    test::GgufWriter gemma("gemma3");
    gemma.number("gemma3.block_count", 1);
    gemma.number("gemma3.embedding_length", 32);
    gemma.tensor("blk.0.post_ffw_norm.weight", {32}, std::vector<float>(32, 1.0f));
    refuse(ErrorKind::model, {"blk.0.post_ffw_norm.weight", "mode=ablate"}, gemma.write(folder_ / "g.gguf"),
           direction_);
    test::GgufWriter tied("cohere2");
    tied.number("cohere2.block_count", 1);
    tied.number("cohere2.embedding_length", 32);
    tied.tensor("token_embd.weight", {32, 2}, std::vector<float>(64, 1.0f));
    refuse(ErrorKind::model, {"cohere2", "embedding"}, tied.write(folder_ / "t.gguf"), direction_);
}

} // namespace
} // namespace valuelens
